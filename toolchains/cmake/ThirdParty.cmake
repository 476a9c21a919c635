# ThirdParty.cmake - the libraries of toolchains/build as imported targets.
#
# Each target brings its own include folder and nothing else, so a foreign header is seen by those
# who link its library and by nobody else. Imported include folders are passed as system ones:
# before the machine's own, which may hold an older mbedTLS, and without our warnings.
#
#   FEDLET_PREFIX  result of toolchains/build for this target; the toolchain file sets it
#
# tp::mbedcrypto tp::mbedx509 tp::mbedtls tp::zlib tp::sqlite tp::cjson tp::yyjson tp::nghttp2
# tp::llhttp tp::yaml tp::cmocka (tests)
include_guard(GLOBAL)

if(NOT FEDLET_PREFIX)
    include("${CMAKE_CURRENT_LIST_DIR}/x86_64-glibc.cmake")
endif()
if(NOT EXISTS "${FEDLET_PREFIX}/lib")
    get_filename_component(_target "${FEDLET_PREFIX}" NAME)
    message(FATAL_ERROR "no libraries in ${FEDLET_PREFIX}; run: toolchains/build ${_target}")
endif()

# fedlet_third_party(NAME ARCHIVE FOLDER [DEFINES d...] [LINKS l...])
#   ARCHIVE  libARCHIVE.a      FOLDER  the library's folder below the prefix
function(fedlet_third_party name archive folder)
    cmake_parse_arguments(arg "" "" "DEFINES;LINKS" ${ARGN})
    add_library(tp::${name} STATIC IMPORTED GLOBAL)
    set_target_properties(tp::${name} PROPERTIES
        IMPORTED_LOCATION "${FEDLET_PREFIX}/${folder}/lib/lib${archive}.a"
        INTERFACE_INCLUDE_DIRECTORIES "${FEDLET_PREFIX}/${folder}/include"
        INTERFACE_COMPILE_DEFINITIONS "${arg_DEFINES}"
        INTERFACE_LINK_LIBRARIES "${arg_LINKS}")
endfunction()

# The same configuration as the library itself: the layout of every mbedTLS struct depends on it.
set(_mbedtls_config "MBEDTLS_CONFIG_FILE=\"fedlet_mbedtls_config.h\"")
fedlet_third_party(mbedcrypto mbedcrypto mbedtls DEFINES ${_mbedtls_config})
fedlet_third_party(mbedx509 mbedx509 mbedtls DEFINES ${_mbedtls_config} LINKS tp::mbedcrypto)
fedlet_third_party(mbedtls mbedtls mbedtls DEFINES ${_mbedtls_config} LINKS tp::mbedx509)
fedlet_third_party(zlib z zlib)
fedlet_third_party(sqlite sqlite3 sqlite3) # OMIT_AUTOINIT: call sqlite3_initialize() first
fedlet_third_party(cjson cjson cjson LINKS m)
fedlet_third_party(yyjson yyjson yyjson DEFINES YYJSON_DISABLE_NON_STANDARD=1)
fedlet_third_party(nghttp2 nghttp2 nghttp2 DEFINES NGHTTP2_STATICLIB)
fedlet_third_party(llhttp llhttp llhttp)
fedlet_third_party(yaml yaml libyaml DEFINES YAML_DECLARE_STATIC)
# Its header defines uintptr_t by itself unless told that the C library does.
fedlet_third_party(cmocka cmocka cmocka DEFINES HAVE_UINTPTR_T=1)
