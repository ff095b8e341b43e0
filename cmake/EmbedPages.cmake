# SPDX-License-Identifier: Apache-2.0
# cmake -DDIST=web/dist -DFALLBACK=index.html -DOPENAPI=openapi.json -DOUT=pages.cc -P EmbedPages.cmake
# Writes one .cc with every file of the web interface, plain and gzipped, and openapi.json. Without DIST/index.html the fallback page
# stands in.
function(content_type_of file out)
  get_filename_component(extension "${file}" LAST_EXT)
  set(types
      .html "text/html charset=utf-8" .js "text/javascript charset=utf-8" .css "text/css charset=utf-8"
      .svg "image/svg+xml" .png "image/png" .ico "image/x-icon" .json "application/json" .woff2 "font/woff2"
      .webmanifest "application/manifest+json" .txt "text/plain charset=utf-8" .map "application/json")
  list(FIND types "${extension}" at)
  if(at EQUAL -1)
    set(${out} "application/octet-stream" PARENT_SCOPE)
  else()
    math(EXPR at "${at} + 1")
    list(GET types ${at} type)
    string(REPLACE " charset" "; charset" type "${type}")  # not in the list: it would be a separator there
    set(${out} "${type}" PARENT_SCOPE)
  endif()
endfunction()

get_filename_component(work "${OUT}" DIRECTORY)
set(files)
if(EXISTS "${DIST}/index.html")
  file(GLOB_RECURSE files RELATIVE "${DIST}" "${DIST}/*")
  list(SORT files)
  set(root "${DIST}")
else()
  get_filename_component(root "${FALLBACK}" DIRECTORY)
  get_filename_component(files "${FALLBACK}" NAME)
endif()

set(blobs)
set(externs)
set(table)
set(index 0)
# Adds a blob and its two symbols.
macro(add_blob symbol path)
  string(APPEND blobs "    \".global ${symbol}, ${symbol}_end\\n${symbol}: .incbin \\\"${path}\\\"\\n${symbol}_end: .byte 0\\n\"\n")
  string(APPEND externs "extern \"C\" char const ${symbol}[], ${symbol}_end[];\n")
endmacro()

foreach(file IN LISTS files)
  set(path "${root}/${file}")
  file(SHA256 "${path}" digest)
  string(SUBSTRING ${digest} 0 20 digest)
  content_type_of("${file}" type)
  set(immutable false)
  if(file MATCHES "^assets/")
    set(immutable true)
  endif()
  add_blob(headrace_page_${index} "${path}")
  set(zipped "std::string_view()")
  if(NOT file MATCHES "\\.(png|woff2|ico)$")
    set(gz "${work}/page_${index}.gz")
    execute_process(COMMAND gzip -9 -n -c "${path}" OUTPUT_FILE "${gz}" COMMAND_ERROR_IS_FATAL ANY)
    add_blob(headrace_page_${index}_gz "${gz}")
    set(zipped "bytes(headrace_page_${index}_gz, headrace_page_${index}_gz_end)")
  endif()
  string(APPEND table "      {\"/${file}\", \"${type}\", \"${digest}\", ${immutable}, bytes(headrace_page_${index}, headrace_page_${index}_end), ${zipped}},\n")
  math(EXPR index "${index} + 1")
endforeach()
add_blob(headrace_openapi "${OPENAPI}")
file(SHA256 "${OPENAPI}" openapi_digest)

file(WRITE "${OUT}" "// Made by cmake/EmbedPages.cmake. ${openapi_digest}
#include \"api/impl/pages.h\"

// clang-format off
asm(\".pushsection .rodata.headrace_pages, \\\"a\\\"\\n\"
${blobs}    \".popsection\\n\");
${externs}
namespace headrace::api {
namespace {
std::string_view bytes(char const* begin, char const* end) { return {begin, static_cast<std::size_t>(end - begin)}; }
}  // namespace

std::span<Page const> pages() {
  static Page const kPages[] = {
${table}  };
  return kPages;
}

std::string_view openapi_json() { return bytes(headrace_openapi, headrace_openapi_end); }

}  // namespace headrace::api
")
