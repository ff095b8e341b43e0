// SPDX-License-Identifier: Apache-2.0
// Precompiled for every test file.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pch_source.h"
