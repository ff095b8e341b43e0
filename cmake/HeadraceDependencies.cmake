# SPDX-License-Identifier: Apache-2.0
# Every outside library, in one place, as one imported target each. All are Debian 12 packages (tools/setup.sh).
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)  # headers only
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(simdjson REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
if(HEADRACE_TESTS)
  find_package(GTest REQUIRED)
endif()
if(HEADRACE_BENCH)
  find_package(benchmark REQUIRED)
endif()
# Boost is used header-only; never let it link or auto-detect more.
add_compile_definitions(BOOST_ERROR_CODE_HEADER_ONLY BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)
