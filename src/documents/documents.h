// SPDX-License-Identifier: Apache-2.0
// Documents: keeps messages and finds them again. Implemented by documents/sqlite; later by
//            MongoDB, PostgreSQL, OrientDB and
// DynamoDB. The suite that all must pass is documents/documents_contract.h.
//   Exactly once: a message is known by (type, source, id); the first body wins, a second insert is
//               a duplicate. State that is set in a transaction is committed with its messages or
//               not at all.
//   Durability: what commit() said yes to survives a power failure, and every search begun later
//               sees it.
//   Isolation:  searches never wait for a transaction nor hold one up; each sees one consistent
//               state.
//   Threads:    begin(), load_state() and Transactions: one thread at a time, one uncommitted
//               Transaction at a time. All else from any thread.
//   Lifetime:   Transactions must go before their Documents.
//   Errors:     overloaded (disk full: try again later), unavailable (backend away), io, corrupt,
//               cancelled, timed_out, invalid_argument (the query; says where).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "documents/where.h"
#include "model/message.h"

namespace headrace::documents {

struct NewMessage {
  std::string_view type, source, principal, id;
  base::Timestamp time, received;
  model::BodyEncoding encoding = model::BodyEncoding::kJson;
  base::Bytes body;
};

enum class Inserted : unsigned char { kStored, kDuplicate };

// Rolled back by its destructor unless commit() succeeded. After an error only the destructor may
// be called.
class Transaction {
 public:
  virtual ~Transaction() = default;
  // Appends one entry per message to `results`, in order. A repeat within the batch is a duplicate
  // too.
  virtual base::Result<void> insert(std::span<NewMessage const> messages,
                                    std::vector<Inserted>& results) = 0;
  // Removes everything of the source: of one type, or of all when `type` is empty. Returns how many
  //                                   messages. Their ids are
  // forgotten: the same message may be inserted again.
  virtual base::Result<std::uint64_t> erase(std::string_view source, std::string_view type) = 0;
  // `scope` keeps users of one store apart (a receiver's name). An empty value removes the key.
  virtual base::Result<void> set_state(std::string_view scope, std::string_view key,
                                       std::string_view value) = 0;
  virtual base::Result<void> commit() = 0;
};

enum class Order : unsigned char {
  kAscending,
  kDescending
};  // by time; equal times in the order of insertion

struct Query {
  std::vector<std::string> types;           // any of these; empty: all
  std::string source;                       // empty: all
  std::optional<base::Timestamp> from, to;  // from <= time < to
  Where where;
  Order order = Order::kAscending;
  std::size_t limit = 100;  // 1 or more
  // SearchEnd::next of the page before, with all else but limit the same (else invalid_argument).
  // The pages together are exactly what the store held when the first page was asked for, less what
  // was erased since.
  std::string cursor;
};

// The views are valid during the call that hands them over.
struct FoundMessage {
  std::string_view id, type, source, principal;
  base::Timestamp time, received;
  model::BodyEncoding encoding = model::BodyEncoding::kJson;
  base::Bytes body;
};

struct SearchControl {
  // The machine's steady clock. A search out of time is no error: it ends with what was found and a
  // cursor to go on from.
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  std::stop_token stop;  // asked to stop: cancelled
};

struct SearchEnd {
  std::optional<std::string> next;  // a cursor; none: that was all
  bool out_of_time = false;
  std::uint64_t found = 0;
  std::uint64_t scanned = 0;  // messages looked at
};

// Called for each message in order. False ends the search after this one. Must not wait for other
// machines: a search holds a connection and a snapshot while it runs.
using Visit = std::function<bool(FoundMessage const&)>;

struct StateEntry {
  std::string key, value;
  bool operator==(StateEntry const&) const = default;
};

class Documents {
 public:
  virtual ~Documents() = default;
  virtual base::Result<std::unique_ptr<Transaction>> begin() = 0;
  virtual base::Result<std::vector<StateEntry>> load_state(
      std::string_view scope) = 0;  // by key, ascending

  virtual base::Result<SearchEnd> search(Query const& query, SearchControl const& control,
                                         Visit const& visit) const = 0;
  // How many messages the query selects; order, limit and cursor do not matter. timed_out when out
  // of time.
  virtual base::Result<std::uint64_t> count(Query const& query,
                                            SearchControl const& control) const = 0;
};

}  // namespace headrace::documents
