// SPDX-License-Identifier: Apache-2.0
#include "broker/log/log.h"
