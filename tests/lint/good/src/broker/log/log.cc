// SPDX-License-Identifier: Apache-2.0
#include "broker/broker.h"
#include "broker/log/impl/segment.h"
