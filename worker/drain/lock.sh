# shellcheck shell=sh
# One drain for a worker at a time, and how a second one joins it. Sourced by drain.sh.
#
# $box/<pid>-<start>/       the lock of one worker
#     owner                 "<pid> <start>" of the drain.sh that has it
#     wish.<pid>            "<deadline> <reason> <drain id>" of everyone who asked: the nearest wins
#     now                   how far it is, as `progress` writes it
#     resume                somebody wants the worker back: "all", or "surplus" if only that
# $box/<pid>-<start>.end    how its last drain ended, as `result` writes it
# $box/stopped.<kind>.<name>  what a drain stopped, and what --resume must restore
# $box/last                 the totals of the last drain on this box

# After this a lock without a living owner is taken over: nobody needs longer between two lines.
lock_takeover_tries=10

# open_box: finds or makes the directory of the locks, $box.
open_box() {
    if [ -n "${CELERIAC_DRAIN_DIR:-}" ]; then
        box=$CELERIAC_DRAIN_DIR
    elif [ "$my_uid" = 0 ]; then
        box=/run/celeriac-drain
    else
        box=${TMPDIR:-/tmp}/celeriac-drain-$my_uid
    fi
    (umask 077 && mkdir -p "$box") || return 1
    # In a shared directory somebody else may have made it first.
    # shellcheck disable=SC2012 # `ls -n` is the POSIX way to an owner
    [ ! -L "$box" ] && [ "$(ls -nd -- "$box" | awk '{ print $3 }')" = "$my_uid" ] || return 1
    # The ends of yesterday's drains help nobody.
    find "$box" -type f -name '*.end' -mtime +0 -exec rm -f -- {} + 2>/dev/null || :
}

# put_file FILE TEXT: replaces it as a whole.
put_file() {
    printf '%s\n' "$2" >"$1.$$.$w_index" && mv -f -- "$1.$$.$w_index" "$1"
}

# lock_owner: whether a living drain has the lock.
lock_owner() {
    { read -r l_pid l_start <"$w_lock/owner"; } 2>/dev/null && alive "$l_pid" "$l_start"
}

# lock_take: takes the worker's lock; fails when a living drain has it.
lock_take() {
    l_tries=0
    while ! (umask 077 && mkdir "$w_lock" 2>/dev/null); do
        lock_owner && return 1
        l_tries=$((l_tries + 1))
        if [ "$l_tries" -gt "$lock_takeover_tries" ]; then
            lock_take_over && return 0
            l_tries=0
        fi
        nap 0.2
    done
    put_file "$w_lock/owner" "$me $(start_of "$me")"
}

# lock_take_over: from an owner that died. Of several who try, the one who can make the directory
# named after the dead owner does it.
lock_take_over() {
    l_dead=none
    { read -r l_pid l_start <"$w_lock/owner"; } 2>/dev/null && l_dead=$l_pid-$l_start
    mkdir "$w_lock/after.$l_dead" 2>/dev/null || return 1
    lock_owner && return 1
    rm -f -- "$w_lock/resume"
    put_file "$w_lock/owner" "$me $(start_of "$me")"
    say 'the drain before this one died: going on with it'
}

# lock_drop: lets everybody see how it ended, then lets the worker go.
lock_drop() {
    put_file "$w_result" "$1"
    rm -rf -- "$w_lock"
}

# wish: leaves our deadline with the drain of this worker, whoever has it.
wish() {
    put_file "$w_lock/wish.$$" "$opt_deadline $opt_reason ${opt_drain_id:--}" 2>/dev/null
}

# read_wishes: the nearest deadline that anybody asked for, as w_deadline, w_reason and w_drain_id.
read_wishes() {
    for l_file in "$w_lock"/wish.*[0-9]; do
        { read -r l_deadline l_reason l_id <"$l_file"; } 2>/dev/null || continue
        if wins; then
            [ -z "$w_drain_id" ] || say "the deadline is now $l_deadline ($l_reason)"
            w_deadline=$l_deadline w_reason=$l_reason w_drain_id=$l_id
        fi
    done
}

# wins: whether the wish l_* counts rather than w_*. A question never does, if there is more.
wins() {
    [ -n "$w_drain_id" ] || return 0
    case "$l_reason $w_reason" in
    'surplus surplus') ;;
    'surplus '*) return 1 ;;
    *' surplus') return 0 ;;
    esac
    [ "$l_deadline" -lt "$w_deadline" ]
}

# join: waits for the drain that has the lock; its end is ours. Fails when that drain died.
join() {
    say "a drain is under way: joining it"
    while lock_owner; do
        # Gone when another drain has the lock by now.
        [ -e "$w_lock/wish.$$" ] || wish || :
        l_now=
        { read -r l_now <"$w_lock/now"; } 2>/dev/null || :
        show_progress "$l_now"
        nap "$look_soon"
    done
    # A question that was over before our wish was seen: this drain is still to be done.
    l_end=
    { read -r l_end <"$w_result"; } 2>/dev/null || :
    [ "${l_end##* }" != 4 ] || [ "${l_now##* }" != surplus ] || [ "$opt_reason" = surplus ] ||
        return 1
    cp -- "$w_result" "$work/$w_index.result" 2>/dev/null
}
