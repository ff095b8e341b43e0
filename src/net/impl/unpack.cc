// SPDX-License-Identifier: Apache-2.0
#include "net/impl/unpack.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <memory>

namespace headrace::net {

namespace {

base::Error broken(std::string_view what, std::string_view why) {
  return {base::ErrorCode::kInvalidArgument, fmt::format("the {} body {}", what, why)};
}

base::Error too_large(std::size_t bytes_max) {
  return {base::ErrorCode::kTooLarge,
          fmt::format("the unpacked body is larger than {} bytes", bytes_max)};
}

std::size_t guess(std::string_view packed) {
  return std::max<std::size_t>(packed.size() * 4, 4096);
}

// Room for the next piece of output, up to one byte beyond the bound; 0 when that is there already.
std::size_t grow(PaddedBuffer& out, std::string_view packed, std::size_t bytes_max) {
  if (out.size() > bytes_max) return 0;
  auto const capacity = std::min(bytes_max + 1, std::max(out.size() * 2, guess(packed)));
  out.reserve(capacity);
  return capacity;
}

struct Inflater {
  z_stream stream{};
  bool ready = false;
  Inflater() { ready = inflateInit2(&stream, 15 + 16) == Z_OK; }  // 16: a gzip header is required
  ~Inflater() {
    if (ready) inflateEnd(&stream);
  }
};

base::Result<PaddedBuffer> unpack_gzip(std::string_view packed, std::size_t bytes_max) {
  Inflater inflater;
  if (!inflater.ready) return base::Error{base::ErrorCode::kOverloaded, "no memory to unpack gzip"};
  auto& stream = inflater.stream;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  PaddedBuffer out;
  while (true) {
    auto const capacity = grow(out, packed, bytes_max);
    if (capacity == 0) return too_large(bytes_max);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + out.size());
    stream.avail_out = static_cast<uInt>(capacity - out.size());
    int const status = inflate(&stream, Z_NO_FLUSH);
    out.set_size(capacity - stream.avail_out);
    if (status == Z_STREAM_END && stream.avail_in == 0) break;
    // RFC 1952: several members may follow one another.
    if (status == Z_STREAM_END && inflateReset(&stream) == Z_OK) continue;
    if (status == Z_BUF_ERROR && stream.avail_in == 0) return broken("gzip", "is cut short");
    if (status != Z_OK && status != Z_BUF_ERROR) return broken("gzip", "is broken");
    if (stream.avail_in == 0 && stream.avail_out != 0) return broken("gzip", "is cut short");
  }
  if (out.size() > bytes_max) return too_large(bytes_max);
  return out;
}

base::Result<PaddedBuffer> unpack_zstd(std::string_view packed, std::size_t bytes_max) {
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> const context(ZSTD_createDCtx(),
                                                                        ZSTD_freeDCtx);
  if (!context) return base::Error{base::ErrorCode::kOverloaded, "no memory to unpack zstd"};
  // A frame can ask for a window of its own size: 8 MiB is what RFC 8878 recommends to support, and
  // as much as is given here.
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 23);
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  PaddedBuffer out;
  while (true) {
    auto const capacity = grow(out, packed, bytes_max);
    if (capacity == 0) return too_large(bytes_max);
    ZSTD_outBuffer piece{out.data(), capacity, out.size()};
    auto const left = ZSTD_decompressStream(context.get(), &piece, &in);
    if (ZSTD_isError(left))
      return broken("zstd", fmt::format("is broken: {}", ZSTD_getErrorName(left)));
    bool const room = piece.pos < piece.size;
    out.set_size(piece.pos);
    if (left == 0 && in.pos == in.size) break;
    if (room && in.pos == in.size) return broken("zstd", "is cut short");
  }
  if (out.size() > bytes_max) return too_large(bytes_max);
  return out;
}

}  // namespace

base::Result<PaddedBuffer> unpack(Packing packing, std::string_view packed, std::size_t bytes_max) {
  if (packed.empty()) return broken(packing == Packing::kGzip ? "gzip" : "zstd", "is empty");
  return packing == Packing::kGzip ? unpack_gzip(packed, bytes_max)
                                   : unpack_zstd(packed, bytes_max);
}

}  // namespace headrace::net
