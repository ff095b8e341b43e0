// SPDX-License-Identifier: Apache-2.0
// The MessagePack -> JSON and points -> JSON renderings (docs/formats/body-rendering.md).
// Threads: pure.
#pragma once

#include <string>

#include "codec/tape/tape.h"
#include "model/message.h"

namespace headrace::codec::record::impl {

void render_msgpack(std::string& out, tape::Value value);
void render_points(std::string& out, model::Points const& points);

}  // namespace headrace::codec::record::impl
