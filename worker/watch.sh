#!/bin/sh
# shellcheck source-path=SCRIPTDIR
# The second channel: asks the instance metadata what is to become of this box, and drains it with
# the drain.sh beside this file when no command has come. Its arguments name the worker, as there.
#
#   CELERIAC_REBALANCE=ignore     or drain: whether a rebalance recommendation alone is a reason
#   CELERIAC_DRAIN_SECONDS=3600   how long a drain may take that no Spot interruption bounds
#   CELERIAC_WATCH_SECONDS=5      how often it asks
#   CELERIAC_GRACE_SECONDS=30     how long the control plane gets to send its command first
set -u

here=$(dirname -- "$(readlink -f -- "$0")")
# shellcheck source=drain/metadata.sh
. "$here/drain/metadata.sh"

# A scale-in has no deadline of its own; this is Auto Scaling's default for its terminate hook.
drain_seconds=${CELERIAC_DRAIN_SECONDS:-3600}

# What AWS recommends for the Spot notice.
watch_seconds=${CELERIAC_WATCH_SECONDS:-5}

# The control plane knows the hook's budget and may extend it, so its command should come first:
# of two deadlines the nearer one counts. A Spot interruption does not wait.
grace_seconds=${CELERIAC_GRACE_SECONDS:-30}

# The time in a Spot notice is approximate: all is done a little before it.
spot_margin_seconds=10

say() {
    printf '%s watch.sh: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >&2
}

# unix_time 2026-01-02T03:04:05Z: as unix seconds. No `date` that every box has can read it. The
# days are those from 0000-03-01, with the leap day at the end of its year.
unix_time() {
    case $1 in
    [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]Z) ;;
    *) return 1 ;;
    esac
    printf '%s\n' "$1" | awk -F'[-T:Z]' '{
        year = $1; month = $2 - 3
        if (month < 0) { month += 12; year-- }
        days = 365 * year + int(year / 4) - int(year / 100) + int(year / 400)
        days += int((153 * month + 2) / 5) + $3 - 1 - 719468
        printf "%.0f\n", ((days * 24 + $4) * 60 + $5) * 60 + $6 }'
}

# text_of KEY: a text of the JSON in m_body.
text_of() {
    printf '%s\n' "$m_body" | sed -n "s/.*\"$1\" *: *\"\([A-Za-z0-9:-]*\)\".*/\1/p"
}

# under_way: the deadline of the drain that is under way; fails when there is none.
under_way() {
    "$here/drain.sh" --status "$@" 2>/dev/null |
        sed -n 's/.*"phase": "[qi].*"deadline": \([0-9]\{10\}\)}$/\1/p' | grep .
}

# start REASON DEADLINE WORKER...: in the background, so that a nearer notice can still move it.
start() {
    s_reason=$1 s_deadline=$2
    shift 2
    say "$s_reason: draining until $s_deadline"
    "$here/drain.sh" --reason "$s_reason" --deadline "$s_deadline" "$@" &
}

# look_for_spot WORKER...: a notice counts once for each time in it.
look_for_spot() {
    metadata spot/instance-action || return $?
    l_time=$(text_of time)
    [ "$l_time" != "$spot_seen" ] || return 0
    spot_seen=$l_time
    l_deadline=$(unix_time "$l_time") || l_deadline=$(($(date +%s) + 120))
    # It does not wait for its time.
    [ "$(text_of action)" != hibernate ] || l_deadline=$(date +%s)
    l_deadline=$((l_deadline - spot_margin_seconds))
    if l_other=$(under_way "$@") && [ "$l_other" -le "$l_deadline" ]; then
        say "spot: a drain until $l_other is under way"
    else
        start spot "$l_deadline" "$@"
    fi
}

# look_for_end WORKER...: Auto Scaling is about to terminate the instance.
look_for_end() {
    metadata autoscaling/target-lifecycle-state || return $?
    if [ "$m_body" = Terminated ]; then
        end_since=${end_since:-$(date +%s)}
        after_grace scale_in "$end_since" "$@"
    else
        end_since='' scale_in_done=no
    fi
}

look_for_rebalance() {
    [ "${CELERIAC_REBALANCE:-ignore}" = drain ] || return 0
    metadata events/recommendations/rebalance || return $?
    rebalance_since=${rebalance_since:-$(date +%s)}
    after_grace rebalance "$rebalance_since" "$@"
}

# after_grace REASON SINCE WORKER...: once, and only when no drain at all is under way.
after_grace() {
    a_reason=$1 a_since=$2
    shift 2
    [ "$(date +%s)" -ge "$((a_since + grace_seconds))" ] || return 0
    case $a_reason in
    scale_in) [ "$scale_in_done" = no ] && scale_in_done=yes || return 0 ;;
    rebalance) [ "$rebalance_done" = no ] && rebalance_done=yes || return 0 ;;
    esac
    if a_other=$(under_way "$@"); then
        say "$a_reason: a drain until $a_other is under way"
    else
        start "$a_reason" "$(($(date +%s) + drain_seconds))" "$@"
    fi
}

command -v curl >/dev/null || {
    say 'curl is needed'
    exit 1
}
spot_seen='' end_since='' rebalance_since='' scale_in_done=no rebalance_done=no answers=yes
trap 'exit 0' TERM INT
while :; do
    look_for_spot "$@"
    l_status=$?
    if [ "$l_status" = 1 ]; then
        # No emergency: the control plane has its own ways. It is said once each time it begins.
        [ "$answers" = no ] || say 'the instance metadata does not answer'
        answers=no
    else
        answers=yes
        look_for_end "$@"
        look_for_rebalance "$@"
    fi
    # In the background, so that TERM ends it at once.
    sleep "$watch_seconds" &
    wait $!
done
