#!/bin/bash
# planner.sh - the replica planner next to KubeFed's own. Prints TAP.
exec "$(dirname "${BASH_SOURCE[0]}")/../schedule/run" "$@"
