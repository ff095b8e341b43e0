// SPDX-License-Identifier: Apache-2.0
// The documents receiver: keeps every message in a document store, with dispatch's state in the
//                         same transaction: what is
// stored is stored exactly once.
//   A message whose body is larger than `body_bytes_max` is refused for good, `too_large`; the rest
//   of its batch is stored.
//   Erase records remove what their source had stored of their data type before them; their body
//   must say nothing more (an empty object, null or none), else they are refused. Records that set
//   tags, and sources' coming and going, are none of its business.
//   Threads, Errors: dispatch/receiver.h.   Lifetime: the store outlives it; nobody else writes to
//   the store meanwhile.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "dispatch/receiver.h"
#include "documents/documents.h"

namespace headrace::receivers::documents {

struct DocumentsReceiverOptions {
  std::size_t body_bytes_max = 8'000'000;
};

// `name`: of the receiver; the scope of its state in the store.
std::unique_ptr<dispatch::Receiver> make_documents_receiver(
    std::string name, headrace::documents::Documents& store,
    DocumentsReceiverOptions const& options = {});

}  // namespace headrace::receivers::documents
