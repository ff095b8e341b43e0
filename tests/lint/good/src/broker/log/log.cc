// SPDX-License-Identifier: Apache-2.0
#include "broker/log/impl/segment.h"

#include "broker/broker.h"
