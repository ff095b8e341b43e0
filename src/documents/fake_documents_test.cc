// SPDX-License-Identifier: Apache-2.0
#include "documents/fake_documents.h"

#include "documents/documents_contract.h"

namespace headrace::documents {
namespace {

struct InMemory final : StorePlace {
  std::unique_ptr<Documents> open() override { return std::make_unique<FakeDocuments>(); }
};

INSTANTIATE_TEST_SUITE_P(Fake, DocumentsContract,
                         ::testing::Values(StoreKind{
                             "fake", [] { return std::unique_ptr<StorePlace>(new InMemory); },
                             false}),
                         [](auto const& kind) { return kind.param.name; });

}  // namespace
}  // namespace headrace::documents
