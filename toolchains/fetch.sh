# shellcheck shell=bash fetch.sh - get the tarballs of third-party.lock into FEDLET_CACHE/sources.
# Sourced by toolchains/build.
#
# The bytes are decided by the lock alone. Where they come from does not matter: a file that is
# already in the cache is taken when its checksum is right. Otherwise apt, with a configuration of
# its own that leaves the machine's untouched, reads the signed source indexes of newer suites on
# the mirror that the machine's apt already uses. Not every file in an index can be had at all
# times, so a file that does not come only means that the next acceptable version is tried.

# Suites whose source indexes are read, relative to the mirror of each label.
FETCH_SUITES_DEBIAN="trixie trixie-updates testing sid"
FETCH_SUITES_SECURITY="trixie-security"
FETCH_INDEX_MAX_AGE_MIN=720

# Prints "version file sha256 package" for each acceptable version of library $1, in order of
# preference.
lock_entries() {
    sed 's/#.*//' "$TOOLCHAINS/third-party.lock" |
        awk -v lib="$1" '$1 == lib { print $2, $4, $5, $3 }'
}

# Prints "URI LABEL" of each package repository that apt uses. FEDLET_MIRROR names a Debian mirror
# instead.
apt_repositories() {
    if [ -n "${FEDLET_MIRROR:-}" ]; then
        echo "${FEDLET_MIRROR%/}/ Debian"
        return
    fi
    apt-get indextargets --format '$(REPO_URI) $(LABEL)' 'Created-By: Packages' 2>/dev/null |
        awk '$2 ~ /^Debian/ && !seen[$0]++'
}

# The options that point apt to the private configuration in $FETCH_APT.
fetch_apt_options() {
    FETCH_APT=$FEDLET_CACHE/apt
    APT_OPTIONS=(
        -q
        -o Dir::Etc::sourcelist="$FETCH_APT/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o Dir::State::lists="$FETCH_APT/lists" -o Dir::Cache="$FETCH_APT/cache"
        -o Acquire::Languages=none -o Acquire::Retries=2 -o APT::Sandbox::User=
    )
}

# Writes the source lines of the newer suites. The keys are those the machine trusts already.
fetch_write_sources() {
    local uri label suite suites keyring=/usr/share/keyrings/debian-archive-keyring.gpg option=
    [ -r "$keyring" ] && option="[signed-by=$keyring] "
    apt_repositories | while read -r uri label; do
        case $label in
            Debian) suites=$FETCH_SUITES_DEBIAN ;;
            Debian-Security) suites=$FETCH_SUITES_SECURITY ;;
            *) suites= ;;
        esac
        for suite in $suites; do echo "deb-src $option$uri $suite main"; done
    done
}

# Refreshes the private index unless it is fresh. A suite that the mirror lacks is no error: what
# counts is whether the file is found at the end.
fetch_index_update() {
    fetch_apt_options
    mkdir -p "$FETCH_APT/lists/partial" "$FETCH_APT/cache/archives/partial"
    fetch_write_sources >"$FETCH_APT/sources.list.new"
    if [ ! -s "$FETCH_APT/sources.list.new" ]; then
        return 1
    fi
    if cmp -s "$FETCH_APT/sources.list.new" "$FETCH_APT/sources.list" &&
        [ -n "$(find "$FETCH_APT/updated" -mmin "-$FETCH_INDEX_MAX_AGE_MIN" 2>/dev/null)" ]; then
        return 0
    fi
    mv "$FETCH_APT/sources.list.new" "$FETCH_APT/sources.list"
    progress "reading the package index"
    apt-get "${APT_OPTIONS[@]}" update >"$FETCH_APT/update.log" 2>&1 || true
    touch "$FETCH_APT/updated"
}

# Prints the paths below a mirror where the indexes have file $2 of source package $1, each once.
fetch_index_paths() {
    apt-cache "${APT_OPTIONS[@]}" showsrc --only-source "$1" 2>/dev/null | awk -v file="$2" '
        function entry_end() {
            if (found && directory && !seen[directory]++)
                print directory "/" file
        }
        $3 == file { found = 1 }
        $1 == "Directory:" { directory = $2 }
        $0 == "" { entry_end(); found = 0; directory = "" }
        END { entry_end() }'
}

# Downloads file $2 of source package $1 to $3. Fails quietly: the caller goes on to the next
# version.
fetch_download() {
    local package=$1 file=$2 to=$3 path uri
    fetch_index_update || return 1
    for path in $(fetch_index_paths "$package" "$file"); do
        for uri in $(apt_repositories | cut -d' ' -f1); do
            if apt_helper "${APT_OPTIONS[@]}" download-file "$uri$path" "$to" \
                >>"$FETCH_APT/download.log" 2>&1; then
                return 0
            fi
            rm -f "$to"
        done
    done
    return 1
}

apt_helper() {
    local helper=/usr/lib/apt/apt-helper
    [ -x "$helper" ] || return 1
    "$helper" "$@"
}

# Stops unless file $2 of library $1 has the checksum $3.
fetch_verify() {
    local library=$1 path=$2 expected=$3 got
    got=$(sha256sum "$path" | cut -d' ' -f1)
    [ "$got" = "$expected" ] && return 0
    fail "wrong checksum
  library:  $library
  file:     $path
  expected: $expected
  got:      $got
Delete the file to fetch it again; a changed tarball is never built."
}

# Sets FETCHED_VERSION and FETCHED_FILE to the first acceptable version of library $1 that can be
# had.
fetch_library() {
    local library=$1 version file sha package path tried=
    while read -r version file sha package; do
        path=$FEDLET_CACHE/sources/$file
        if [ -e "$path" ]; then
            fetch_verify "$library $version" "$path" "$sha"
            FETCHED_VERSION=$version FETCHED_FILE=$path
            return 0
        fi
    done < <(lock_entries "$library")
    while read -r version file sha package; do
        path=$FEDLET_CACHE/sources/$file
        tried="$tried
  $file  (sha256 $sha)"
        progress "fetching $file"
        rm -f "$path.part"
        if fetch_download "$package" "$file" "$path.part"; then
            fetch_verify "$library $version" "$path.part" "$sha"
            mv "$path.part" "$path"
            FETCHED_VERSION=$version FETCHED_FILE=$path
            return 0
        fi
    done < <(lock_entries "$library")
    [ -n "$tried" ] || fail "third-party.lock has no entry for $library"
    fail "$library could not be fetched. Put one of these into $FEDLET_CACHE/sources:$tried"
}

# Fetches what is missing for the target, before any work is done; one process at a time.
fetch_all() {
    local library libraries=$LIBRARIES
    if [ -n "$MUSL" ]; then
        libraries="musl musl-patches $libraries"
    else
        libraries="$libraries bearssl"
    fi
    mkdir -p "$FEDLET_CACHE/sources"
    exec 8>"$FEDLET_CACHE/sources.lock"
    flock 8
    for library in $libraries; do fetch_library "$library"; done
    exec 8>&-
}
