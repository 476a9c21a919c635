#!/usr/bin/env bash
# faultnet_https.sh - the rows of faultnet.sh over HTTPS.
FAULTNET_LINK=https exec "$(dirname "$0")/faultnet.sh" "$@"
