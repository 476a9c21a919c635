# shellcheck shell=bash
# recipes.sh - the targets, and how each library is built for them. Sourced by toolchains/build.
#
# Everything that decides the bytes of a result is in this file, the lock, mbedtls_config.h and, of
# the hub, mbedtls_gcm: these are its key. See below for what the hub's key leaves out.
#
# Each recipe_NAME runs in an empty work folder with
#   SOURCE    the unpacked tarball
#   HOME_DIR  where this library goes: HOME_DIR/include and HOME_DIR/lib, so that its headers are
#             seen by those who ask for them and by nobody else
#   PREFIX    the flat view of what is built so far
#   CC AR CFLAGS CMAKE_COMMON JOBS  compiler and settings of the target
#   PROFILE   "hub" or "agent": which buffers mbedTLS gets

# ---- what only the static targets get ----
# A gateway's flash and memory decide here, on the hub speed does. Every line about it names EDGE_,
# and no other line does: those lines are no part of the hub's key.

# Prints the setting $1 for a static target, nothing for the hub's.
edge() { [ -z "$MUSL" ] || echo "${!1}"; } # EDGE_

# gcc for aarch64 writes unwind tables, a tenth of the program, unless both kinds are refused. And it
# writes code that may lie anywhere, unless told that it will not: more of it, and tables of
# addresses that the linker puts on pages of their own, of 64 KiB each. (Also the linker must be told,
# for the programs that cmake tries.) And it keeps frame pointers, for
# tools that no gateway has: one and a half per cent.
EDGE_FLAGS="-fno-unwind-tables -fno-pie -no-pie -fomit-frame-pointer"

# What ports/sqlite never says, left out of parser and library alike. What keeps files and memory
# sound stays, and so do ATTACH and VACUUM: the library does not link without them.
EDGE_OMIT="WINDOWFUNC CTE VIRTUALTABLE TRIGGER VIEW FOREIGN_KEY ALTERTABLE ANALYZE REINDEX EXPLAIN"
EDGE_OMIT+=" DATETIME_FUNCS LOCALTIME AUTOVACUUM GENERATED_COLUMNS INCRBLOB CHECK CAST"
EDGE_OMIT+=" BLOB_LITERAL HEX_INTEGER SCHEMA_PRAGMAS CASE_SENSITIVE_LIKE_PRAGMA"
EDGE_OMIT+=" COMPILEOPTION_DIAGS OR_OPTIMIZATION LIKE_OPTIMIZATION BETWEEN_OPTIMIZATION"
EDGE_OMIT+=" AUTOMATIC_INDEX XFER_OPT TRUNCATE_OPTIMIZATION"
# shellcheck disable=SC2086
EDGE_SQLITE="$(printf -- '-DSQLITE_OMIT_%s=1 ' $EDGE_OMIT)-DSQLITE_MAX_MMAP_SIZE=0"

# Checks of gzip's kind are made of a few files now and then: the table of 1 KiB will do, without
# the ones for eight bytes at once.
EDGE_ZLIB="-DZ_TESTW=0"

# Its reader is written to be copied into every caller; the compiler's own judgement needs half.
EDGE_YYJSON="-Dyyjson_inline=inline"

# Sets what differs between targets: CROSS (compiler prefix), PROCESSOR, ARCH_FLAGS, PROFILE, MUSL.
target_describe() {
    ARCH_FLAGS="-Os -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables"
    PROFILE=agent MUSL=yes
    case $1 in
        x86_64-glibc)
            CROSS=x86_64-linux-gnu PROCESSOR=x86_64 PROFILE=hub MUSL=
            ARCH_FLAGS="-O2 -g1 -fPIC -fno-omit-frame-pointer -ffunction-sections -fdata-sections"
            ;;
        x86_64-musl) CROSS=x86_64-linux-gnu PROCESSOR=x86_64 ;;
        aarch64-musl)
            CROSS=aarch64-linux-gnu PROCESSOR=aarch64
            # See toolchains/cmake/aarch64-musl.cmake.
            ARCH_FLAGS="$ARCH_FLAGS -fno-ipa-modref -fno-ipa-pure-const"
            ;;
        armv7-musl)
            CROSS=arm-linux-gnueabihf PROCESSOR=armv7
            ARCH_FLAGS="$ARCH_FLAGS -march=armv7-a -mfpu=vfpv3-d16 -mfloat-abi=hard -mthumb"
            ;;
        riscv64-musl) CROSS=riscv64-linux-gnu PROCESSOR=riscv64 ;;
        *) fail "no such target '$1' (see toolchains/build --help)" ;;
    esac
    ARCH_FLAGS="$ARCH_FLAGS $(edge EDGE_FLAGS)"
}

# Compiler and cmake settings of the target, after musl is there.
target_compiler() {
    CC=$CROSS-gcc AR=$CROSS-ar CFLAGS=$ARCH_FLAGS
    [ -z "$MUSL" ] || CC=$MUSL/bin/musl-gcc
    CMAKE_COMMON=(
        -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$PROCESSOR"
        -DCMAKE_C_COMPILER="$CC"
        -DCMAKE_AR="$(command -v "$AR")" -DCMAKE_RANLIB="$(command -v "$CROSS-ranlib")"
        -DCMAKE_BUILD_TYPE=None -DCMAKE_INSTALL_LIBDIR=lib -DBUILD_SHARED_LIBS=OFF
        -DCMAKE_TRY_COMPILE_TARGET_TYPE=EXECUTABLE -DCMAKE_FIND_ROOT_PATH="$PREFIX"
        -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY
        -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=ONLY -DCMAKE_POLICY_VERSION_MINIMUM=3.5
    )
    [ -z "$MUSL" ] || CMAKE_COMMON+=(-DCMAKE_EXE_LINKER_FLAGS=-static)
}

LIBRARIES="mbedtls zlib sqlite3 cjson yyjson nghttp2 llhttp libyaml cmocka"

# Patches of the packaging tarballs that are used.
MUSL_PATCHES="
CVE-2025-26519-0001_iconv_fix_erroneous_input_validation_in_EUC_KR_decod
CVE-2025-26519-0002_iconv_harden_UTF_8_output_code_path_against_input_de
renameat2
0001-fix-pathological-slowness-incorrect-mappings-in-icon
0002-qsort-fix-leonardo-heap-corruption-from-bug-in-doubl"

# Unpacks FETCHED_FILE below the current folder and sets SOURCE. Of the nodejs tarball one folder
# is enough.
unpack() {
    mkdir source
    case $1 in
        llhttp) set -- --wildcards '*/deps/llhttp/*' ;;
        *) set -- ;;
    esac
    tar -xf "$FETCHED_FILE" -C source --strip-components=1 "$@"
    SOURCE=$PWD/source
}

# Compiles the C files after "--" with the flags before it into lib$1.a of HOME_DIR.
compile_archive() {
    local name=$1 source object
    local -a flags=() objects=()
    shift
    while [ "$1" != -- ]; do
        flags+=("$1")
        shift
    done
    shift
    for source in "$@"; do
        object=$(basename "$source" .c).o
        echo "$CC $CFLAGS ${flags[*]} -c $source -o $object" >&2
        # shellcheck disable=SC2086
        $CC $CFLAGS "${flags[@]}" -c "$source" -o "$object"
        objects+=("$object")
    done
    mkdir -p "$HOME_DIR/lib"
    "$AR" rcs "$HOME_DIR/lib/lib$name.a" "${objects[@]}"
}

install_headers() {
    mkdir -p "$HOME_DIR/include"
    cp "$@" "$HOME_DIR/include/"
}

# Configures, builds and installs SOURCE with cmake; the arguments are its options.
cmake_install() {
    cmake -G Ninja -S "$SOURCE" -B . "${CMAKE_COMMON[@]}" -DCMAKE_INSTALL_PREFIX="$HOME_DIR" "$@"
    ninja -j "$JOBS"
    ninja install
    rm -rf "$HOME_DIR/lib/cmake" "$HOME_DIR/lib/pkgconfig" "$HOME_DIR/share" "$HOME_DIR/bin"
}

# Unpacks what the lock calls $1 into the folder $2, by default $1.
unpack_beside() {
    local folder=${2:-$1}
    fetch_library "$1"
    mkdir "$folder"
    tar -xf "$FETCHED_FILE" -C "$folder" --strip-components=1
}

# Applies the named patches of an unpacked packaging tarball $1 to SOURCE.
apply_patches() {
    local packaging=$1 name
    shift
    for name in "$@"; do
        patch -d "$SOURCE" -p1 --forward --batch <"$packaging/patches/$name.patch"
    done
}

mbedtls_flags() {
    echo "-DMBEDTLS_CONFIG_FILE='\"fedlet_mbedtls_config.h\"'"
}

# What BearSSL's AES-GCM consists of.
BEARSSL_GCM="aead/gcm hash/ghash_pclmul hash/ghash_ctmul64 symcipher/aes_x86ni
symcipher/aes_x86ni_ctr symcipher/aes_ct64 symcipher/aes_ct64_enc symcipher/aes_ct64_ctr
codec/dec32le codec/enc32le"

# Puts the hub's AES-GCM into the library, whose configuration leaves its own out.
mbedtls_add_gcm() {
    local file home=$PWD/bearssl
    unpack_beside bearssl
    echo "bearssl $FETCHED_VERSION" >>"$PREFIX/versions.txt"
    mkdir objects
    for file in $BEARSSL_GCM; do
        # shellcheck disable=SC2086
        $CC $CFLAGS -I"$home/inc" -I"$home/src" -c "$home/src/$file.c" -o "objects/${file##*/}.o"
    done
    # shellcheck disable=SC2086
    $CC $CFLAGS -std=c11 -Wall -Wextra -Werror -I"$home/inc" -I"$HOME_DIR/include" \
        -DMBEDTLS_CONFIG_FILE='"fedlet_mbedtls_config.h"' \
        -c "$TOOLCHAINS/mbedtls_gcm/gcm_alt.c" -o objects/gcm_alt.o
    "$AR" rs "$HOME_DIR/lib/libmbedcrypto.a" objects/*.o
}

recipe_mbedtls() {
    mkdir -p "$HOME_DIR/include"
    [ "$PROFILE" != hub ] || install_headers "$TOOLCHAINS/mbedtls_gcm/gcm_alt.h"
    {
        echo "/* Written by toolchains/build: the target's profile, then mbedtls_config.h. */"
        echo "#define FEDLET_TLS_PROFILE_${PROFILE^^} 1"
        cat "$TOOLCHAINS/mbedtls_config.h"
    } >"$HOME_DIR/include/fedlet_mbedtls_config.h"
    cmake_install -DCMAKE_C_FLAGS="$CFLAGS -I$HOME_DIR/include" \
        -DMBEDTLS_CONFIG_FILE="$HOME_DIR/include/fedlet_mbedtls_config.h" \
        -DENABLE_PROGRAMS=OFF -DENABLE_TESTING=OFF -DGEN_FILES=OFF -DMBEDTLS_FATAL_WARNINGS=OFF \
        -DUSE_STATIC_MBEDTLS_LIBRARY=ON -DUSE_SHARED_MBEDTLS_LIBRARY=OFF
    [ "$PROFILE" != hub ] || mbedtls_add_gcm
}

# By hand: the packaged tarball lacks a file that its cmake wants, and cmake renames a header
# inside the sources.
recipe_zlib() {
    local name
    local -a files=()
    for name in adler32 compress crc32 deflate infback inffast inflate inftrees trees uncompr \
        zutil; do
        files+=("$SOURCE/$name.c")
    done
    # shellcheck disable=SC2046
    compile_archive z -I"$SOURCE" $(edge EDGE_ZLIB) -- "${files[@]}"
    install_headers "$SOURCE/zlib.h" "$SOURCE/zconf.h"
}

# PRAGMA user_version must work, so OMIT_SCHEMA_VERSION_PRAGMAS is not in the list.
SQLITE_FLAGS="
-DHAVE_FDATASYNC=1 -DSQLITE_THREADSAFE=0 -DSQLITE_DQS=0 -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_DEFAULT_WAL_SYNCHRONOUS=1
-DSQLITE_LIKE_DOESNT_MATCH_BLOBS -DSQLITE_MAX_EXPR_DEPTH=0 -DSQLITE_USE_ALLOCA -DSQLITE_UNTESTABLE
-DSQLITE_TEMP_STORE=3 -DSQLITE_DEFAULT_CACHE_SIZE=-256 -DSQLITE_DEFAULT_LOOKASIDE=512,32
-DSQLITE_OMIT_DEPRECATED -DSQLITE_OMIT_PROGRESS_CALLBACK -DSQLITE_OMIT_SHARED_CACHE
-DSQLITE_OMIT_AUTOINIT -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_UTF16 -DSQLITE_OMIT_COMPLETE
-DSQLITE_OMIT_DECLTYPE -DSQLITE_OMIT_GET_TABLE -DSQLITE_OMIT_TCL_VARIABLE
-DSQLITE_OMIT_AUTHORIZATION -DSQLITE_OMIT_TRACE -DSQLITE_OMIT_JSON
-DSQLITE_OMIT_DESERIALIZE -DSQLITE_OMIT_INTROSPECTION_PRAGMAS"

# The tarball has the sources that the one big sqlite3.c is made of. That file does not depend on
# the processor, so it is made once for the hub and once for the edge, and kept.
sqlite_amalgamation() {
    local kept=$FEDLET_CACHE/generated/sqlite-$(sha256sum "$FETCHED_FILE" | cut -c1-16)
    [ -z "$MUSL" ] || kept+=-edge-$(echo "$EDGE_SQLITE" | sha256sum | cut -c1-16)
    if [ ! -d "$kept" ]; then
        (
            mkdir generate
            cd generate
            # shellcheck disable=SC2155
            export OPTS="$(edge EDGE_SQLITE)"
            env -u CC -u AR -u CFLAGS "$SOURCE/configure" --disable-tcl
            env -u CC -u AR -u CFLAGS make -j "$JOBS" sqlite3.c sqlite3.h
        )
        mkdir -p "$FEDLET_CACHE/generated" made
        cp generate/sqlite3.c generate/sqlite3.h made/
        publish_folder made "$kept"
    fi
    SQLITE_AMALGAMATION=$kept
}

recipe_sqlite3() {
    sqlite_amalgamation
    # shellcheck disable=SC2155
    local SQLITE_FLAGS="$SQLITE_FLAGS $(edge EDGE_SQLITE)"
    # shellcheck disable=SC2086
    compile_archive sqlite3 $SQLITE_FLAGS -- "$SQLITE_AMALGAMATION/sqlite3.c"
    install_headers "$SQLITE_AMALGAMATION/sqlite3.h"
}

recipe_cjson() {
    compile_archive cjson -- "$SOURCE/cJSON.c"
    install_headers "$SOURCE/cJSON.h"
}

# Without the non-standard parts no flag can make it accept comments, NaN, Infinity or trailing
# commas.
recipe_yyjson() {
    # shellcheck disable=SC2155
    local CFLAGS="$CFLAGS $(edge EDGE_YYJSON)"
    compile_archive yyjson -DYYJSON_DISABLE_NON_STANDARD=1 -- "$SOURCE/src/yyjson.c"
    install_headers "$SOURCE/src/yyjson.h"
}

recipe_nghttp2() {
    cmake_install -DCMAKE_C_FLAGS="$CFLAGS" -DENABLE_LIB_ONLY=ON -DENABLE_DOC=OFF \
        -DBUILD_TESTING=OFF -DENABLE_STATIC_LIB=ON -DBUILD_STATIC_LIBS=ON -DENABLE_SHARED_LIB=OFF
}

recipe_llhttp() {
    local folder=$SOURCE/deps/llhttp
    compile_archive llhttp -I"$folder/include" -- \
        "$folder/src/api.c" "$folder/src/http.c" "$folder/src/llhttp.c"
    install_headers "$folder/include/llhttp.h"
}

recipe_libyaml() {
    cmake_install -DCMAKE_C_FLAGS="$CFLAGS" -DBUILD_TESTING=OFF -DINSTALL_CMAKE_DIR=lib/cmake
}

recipe_cmocka() {
    cmake_install -DCMAKE_C_FLAGS="$CFLAGS" -DWITH_EXAMPLES=OFF -DUNIT_TESTING=OFF \
        -DPICKY_DEVELOPER=OFF
}

# The C library of the static targets: libc.a, headers, and a wrapper "musl-gcc" around the cross
# compiler whose paths are those of $1, the place where the result ends up; installed below $2.
# The kernel's headers come from the cross compiler's C library package (mbedTLS looks for
# asm/hwcap.h).
recipe_musl() {
    local final=$1 stage=$2 folder
    unpack_beside musl-patches packaging
    # shellcheck disable=SC2086
    apply_patches packaging $MUSL_PATCHES
    CC=$CROSS-gcc CROSS_COMPILE=$CROSS- CFLAGS="$ARCH_FLAGS" "$SOURCE/configure" --target="$CROSS" \
        --prefix="$final" --disable-shared --enable-wrapper=gcc
    make -j "$JOBS"
    make DESTDIR="$stage" install
    for folder in linux asm asm-generic; do
        cp -rL "$(kernel_header_folder "$folder")" "$stage$final/include/$folder"
    done
}

# Prints where the kernel headers $1 of the target are.
kernel_header_folder() {
    local base
    for base in "/usr/$CROSS/include" "/usr/include/$CROSS" /usr/include; do
        if [ -d "$base/$1" ]; then
            echo "$base/$1"
            return
        fi
    done
    fail "no kernel headers '$1' for $CROSS; run toolchains/setup cross"
}
