// SPDX-License-Identifier: Apache-2.0 The routes for administrators: users, their tokens and
// sources, the audit entries. All need the role admin.
//   GET /api/v1/users {"users":[USER...]} USER: {"name","role","created","active","tokens"} POST
//   /api/v1/users {"name","role"} -> 201 USER GET /api/v1/users/NAME USER PATCH /api/v1/users/NAME
//   {"active"?,"role"?} -> USER DELETE /api/v1/users/NAME 204; tokens and sources go too GET
//   /api/v1/users/NAME/tokens {"tokens":[TOKEN...]} TOKEN:
//   {"id","user","created","expires","revoked"} POST /api/v1/users/NAME/tokens {"lifetime"?:"30d"}
//   -> 201 {"token":TOKEN,"secret":"hr_..."}, shown once DELETE /api/v1/users/NAME/tokens/ID 204
//   GET /api/v1/users/NAME/sources {"sources":[{"source","since"}...]}, the first 10,000 PUT
//   /api/v1/users/NAME/sources/SOURCE 204: the source is this user's from now on DELETE
//   /api/v1/users/NAME/sources/SOURCE 204: the source is nobody's GET /api/v1/audit?limit=100
//   {"entries":[{"time","actor","action","subject"}...]}, newest first
//   Threads:  routes run on io threads and hand changes, which wait for the disk, to a thread of
//             their own.
//   Lifetime: `authenticator` outlives the server.
#pragma once

#include "identity/authenticator.h"
#include "net/http_server.h"

namespace headrace::api {

void add_users_routes(net::HttpServer& server, identity::Authenticator& authenticator);

}  // namespace headrace::api
