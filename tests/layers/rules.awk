# rules.awk - the layer table. Reads file names (from the tree's root) on stdin, prints wrong includes as
# "FILE:LINE: HEADER: REASON" and the closing line; exit code 1 when there is one.

BEGIN {
    # C11 headers that touch no system. stdio.h is here for snprintf, stdlib.h for malloc and qsort.
    split("assert ctype errno float inttypes iso646 limits math stdalign stdarg stdbool stddef stdint " \
        "stdio stdlib stdnoreturn string", names, " ")
    for (i in names)
        pure[names[i] ".h"] = 1

    # Third-party headers: how their names begin, and the folders that may see them.
    library("yyjson.h", "proto/object")
    library("cJSON.h", "proto/doc")
    library("cjson/", "proto/doc")
    library("zlib.h", "proto/bundle ports/http")
    library("zconf.h", "")
    library("psa/", "proto/digest ports/tls")
    library("mbedtls/", "ports/tls ports/dtls")
    library("nghttp2/", "ports/http")
    library("llhttp.h", "ports/http")
    library("yaml.h", "ports/kube")
    library("sqlite3.h", "ports/sqlite")
    library("cmocka.h", "")
    library("bearssl", "") # the hub's AES-GCM, below mbedTLS: toolchains/mbedtls_gcm

    # A port that builds on another port's own headers.
    builds_on["ports/dtls"] = "ports/tls"
    builds_on["ports/http"] = "ports/tls"
    builds_on["ports/https"] = "ports/http"
    builds_on["ports/worker"] = "ports/dtls" # the form of addresses
}

{
    check_file($0)
    n_files++
}

END {
    printf "%d files, %d wrong includes\n", n_files, n_wrong
    exit n_wrong > 0
}

function library(prefix, folders)
{
    n_libraries++
    library_prefix[n_libraries] = prefix
    library_folders[n_libraries] = " " folders " "
}

function check_file(file,    line, number, header, reason)
{
    number = 0
    while ((getline line < file) > 0) {
        number++
        if (line !~ /^[ \t]*#[ \t]*include/)
            continue
        header = line
        sub(/^[ \t]*#[ \t]*include[ \t]*/, "", header)
        if (header ~ /^<[^>]+>/) {
            sub(/>.*/, "", header)
            header = substr(header, 2)
            reason = angle_reason(file, header)
        } else if (header ~ /^"[^"]+"/) {
            header = substr(header, 2)
            sub(/".*/, "", header)
            reason = quoted_reason(file, header)
        } else {
            reason = "neither <...> nor \"...\""
        }
        if (reason != "") {
            printf "%s:%d: %s: %s\n", file, number, header, reason
            n_wrong++
        }
    }
    close(file)
}

# The first two folders of a path below proto and ports, else the first one: the unit of the table.
function folder_of(path,    parts, n)
{
    n = split(path, parts, "/")
    if (n >= 3 && (parts[1] == "proto" || parts[1] == "ports"))
        return parts[1] "/" parts[2]
    return parts[1]
}

function is_contract(path)
{
    return path ~ /^ports\/[^\/]+\.h$/
}

function angle_reason(file, header,    i)
{
    for (i = 1; i <= n_libraries; i++)
        if (index(header, library_prefix[i]) == 1) {
            if (index(library_folders[i], " " folder_of(file) " "))
                return ""
            if (library_folders[i] == "  ")
                return "no folder here sees this library"
            return "this library is seen only by" substr(library_folders[i], 1, \
                length(library_folders[i]) - 1)
        }
    if (pure[header])
        return ""
    if (file ~ /^proto\//)
        return "proto touches no system"
    if (is_contract(file))
        return "a contract touches no system"
    if (header ~ /^(proto|ports|agent|hub|cli|tests)\//)
        return "our own headers are written in quotes"
    return ""
}

function exists(path,    line, found)
{
    found = (getline line < path) >= 0
    close(path)
    return found
}

function quoted_reason(file, header,    i)
{
    for (i = 1; i <= n_libraries; i++)
        if (index(header, library_prefix[i]) == 1)
            return "a library's header is written in <...>"
    if (header !~ /^(proto|ports|agent|hub|cli)\// || header ~ /\.\.\//)
        return "is not written from the root"
    if (!exists(header))
        return "does not exist"
    return layer_reason(file, header)
}

function layer_reason(file, header,    from, to)
{
    from = folder_of(file)
    to = folder_of(header)
    if (file ~ /^proto\/base\//)
        return to == "proto/base" ? "" : "proto/base includes proto/base only"
    if (file ~ /^proto\//)
        return header ~ /^proto\// ? "" : "proto includes proto only"
    if (is_contract(file)) {
        if (to == "proto/base" || to == "proto/digest" || is_contract(header))
            return ""
        return "a contract includes proto/base, proto/digest and contracts only"
    }
    if (header ~ /^proto\// || is_contract(header) || from == to)
        return ""
    if (from in builds_on && builds_on[from] == to)
        return ""
    if (file ~ /^ports\//)
        return from " includes proto, contracts and itself only"
    if (header ~ /^ports\//)
        return "logic sees contracts only; constructors are in them"
    return from " does not include " to
}
