# shellcheck shell=sh
# What /proc knows of processes. Sourced by drain.sh.

# What is asked every moment uses the shell's own words: a fork costs a busy box milliseconds.

# read_stat PID: its state, parent and start time (in clock ticks, which tells a pid from its
# reuse) as p_state, p_parent and p_start. Fails when it is gone, or only not yet waited for.
read_stat() {
    p_stat=
    { read -r p_stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    # The name in parentheses may hold anything, so fields are counted from its end.
    # shellcheck disable=SC2086 # split on purpose: the rest is letters and numbers
    set -- ${p_stat##*) }
    [ $# -ge 20 ] && [ "$1" != Z ] && [ "$1" != X ] || return 1
    p_state=$1 p_parent=$2
    shift 19
    p_start=$1
}

# start_of PID: prints p_start.
start_of() {
    read_stat "$1" && printf '%s\n' "$p_start"
}

# alive PID START: whether that very process still runs.
alive() {
    read_stat "$1" && [ "$p_start" = "$2" ]
}

# user_of PID, group_of PID: the effective ids, as numbers.
user_of() {
    awk '$1 == "Uid:" { print $3 }' "/proc/$1/status" 2>/dev/null
}

group_of() {
    awk '$1 == "Gid:" { print $3 }' "/proc/$1/status" 2>/dev/null
}

# pid_inside PID: what it is called in its own pid namespace, as in a container.
pid_inside() {
    awk -v pid="$1" '$1 == "NSpid:" { pid = $NF } END { print pid }' "/proc/$1/status" 2>/dev/null
}

# setting_of PID NAME: a variable of the environment that the process was started with.
setting_of() {
    tr '\0' '\n' 2>/dev/null <"/proc/$1/environ" | sed -n "s/^$2=//p" | head -n 1
}

# is_worker PID: whether its command line is a Celery worker's. The words are looked at one by one,
# because a wrapper (tini, timeout, sh -c) has them too, but does not begin with python; and because
# an application may be called worker.
is_worker() {
    tr '\0' '\n' 2>/dev/null <"/proc/$1/cmdline" | awk '
        NR == 1 && /^\[celeryd: .*:MainProcess\]/ { found = 1; exit }
        NR == 1 { if ($0 !~ /(^|\/)(python|pypy)[0-9.]*$/) exit; next }
        !celery { celery = $0 ~ /(^|\/)celery$/; next }
        value { value = 0; next }
        /^(-A|--app|-b|--broker|--result-backend|--loader|--config|--workdir)$/ { value = 1; next }
        /^-/ { next }
        { found = $0 == "worker"; exit }
        END { exit !found }'
}

# is_main PID: whether it is the main process of a worker. Its children have its command line, so it
# is the one whose parent does not.
is_main() {
    is_worker "$1" && read_stat "$1" || return 1
    ! cmp -s "/proc/$1/cmdline" "/proc/$p_parent/cmdline"
}

# process_table: lines of PID PARENT for everything that runs.
process_table() {
    cat /proc/[0-9]*/stat 2>/dev/null | awk '{
        pid = $1
        sub(/^.*\) /, "")
        if (pid ~ /^[0-9]+$/ && $2 ~ /^[0-9]+$/) print pid, $2
    }'
}

# descendants_of PID: everything below it, the nearest first.
descendants_of() {
    process_table | awk -v root="$1" '
        { children[$2] = children[$2] " " $1 }
        END {
            count = split(children[root], queue, " ")
            for (i = 1; i <= count; i++) {
                print queue[i]
                more = split(children[queue[i]], found, " ")
                for (j = 1; j <= more; j++) queue[++count] = found[j]
            }
        }'
}

# main_at_or_below PID: the main process of the worker that a supervisor started as PID, which may
# be a shell or an init in front of it.
main_at_or_below() {
    case $1 in '' | 0 | *[!0-9]*) return 1 ;; esac
    read_stat "$1" || return 1
    for p_pid in "$1" $(descendants_of "$1"); do
        if is_main "$p_pid" || state_of "$p_pid" >/dev/null; then
            printf '%s\n' "$p_pid"
            return 0
        fi
    done
    return 1
}

# takes_orders PID: whether it has a handler for SIGUSR2, signal 12, bit 11 of the mask. Without one
# the signal would end it.
takes_orders() {
    p_mask=$(awk '$1 == "SigCgt:" { print $2 }' "/proc/$1/status" 2>/dev/null)
    case $p_mask in *[89a-fA-F]??) return 0 ;; *) return 1 ;; esac
}

# as_user UID GID COMMAND...: never with more rights than the worker itself has.
as_user() {
    p_uid=$1
    p_gid=$2
    shift 2
    if [ "$my_uid" = "$p_uid" ]; then
        "$@"
    elif setpriv --reuid="$p_uid" --regid="$p_gid" --clear-groups true 2>/dev/null; then
        setpriv --reuid="$p_uid" --regid="$p_gid" --clear-groups -- "$@"
    else
        # shellcheck disable=SC2016 # expanded by the inner shell
        su -s /bin/sh "$(id -un "$p_uid")" -c 'exec "$0" "$@"' -- "$@"
    fi
}
