# shellcheck shell=sh
# The drain of one worker, in a subshell of its own: its variables begin with w_. Sourced by
# drain.sh.

# The work of the last moment (stop, KILL, a Python that starts and makes one call) takes a second;
# seven were seen with six busy processes on two processors. The deadline is when it is done.
force_seconds=8

# A poll lands after wait_time_seconds; the rest is for handing back, which takes one call for ten.
quiet_margin_seconds=5

# Where the wait time is not known: no SQS poll lasts longer.
wait_seconds_max=20

# With little time left, a worker that does not answer gets a third of it and never less than this:
# a busy box needs it to run a signal handler.
quiet_seconds_min=2

# While the worker goes quiet or ends, a look takes this long; while its tasks run, a second does.
look_soon=0.3
look_later=1

# drain_one INDEX KIND NAME PID: its progress goes to $work/INDEX.now, its end to INDEX.result.
drain_one() {
    w_index=$1 w_kind=$2 w_name=$3 w_pid=$4
    # This subshell's own pid, which $$ is not.
    me=$(exec sh -c 'echo "$PPID"')
    if w_start=$(start_of "$w_pid") && open_worker; then
        until lock_take; do
            join && return 0
        done
        rm -f -- "$w_result"
        wish
        read_wishes
        run_drain
        progress
        lock_drop "$(result)"
        cp -- "$w_result" "$work/$w_index.result"
    else
        # It ended since it was found.
        printf '%s\n' "$w_name null 0 0 0 0 3" >"$work/$w_index.result"
    fi
}

# open_worker: what stays the same during the drain, and the counts at its begin.
open_worker() {
    w_user=$(user_of "$w_pid") w_group=$(group_of "$w_pid")
    w_lock=$box/$w_pid-$w_start w_result=$box/$w_pid-$w_start.end
    w_state=$(state_of "$w_pid") || w_state=
    w_order_id=${opt_drain_id:-drain-$now-$$}
    w_deadline=9999999999 w_reason=manual w_drain_id='' w_shown=''
    w_phase=started w_exit=1 w_quiet=null
    w_handed=0 w_finished=0 w_forced=0 w_running=0 s_held=0
    w_asked=no w_stopping=no w_refused=no
    uptime
    w_began=$up
    [ -n "$w_user" ]
}

# progress: lets the parent, and who joins, see where this drain is.
progress() {
    o_now="$w_phase $w_running $w_handed $w_finished $w_forced $w_quiet $w_deadline $w_reason"
    [ "$o_now" = "$w_shown" ] || put_file "$w_lock/now" "$o_now"
    show_progress "$o_now"
}

show_progress() {
    if [ -n "$1" ] && [ "$1" != "$w_shown" ]; then
        w_shown=$1
        put_file "$work/$w_index.now" "$1"
    fi
}

result() {
    printf '%s\n' "$w_name $w_quiet $w_handed $w_finished $w_forced $w_running $w_exit"
}

run_drain() {
    begin
    while :; do
        read_wishes
        if called_off; then
            # --resume does the rest, once the lock is free.
            knows_what_runs && take_counts
            say 'called off' && w_phase=resumed w_exit=4
            return 0
        fi
        if ! alive "$w_pid" "$w_start"; then
            end_gone
            return 0
        fi
        look
        progress
        clock
        if [ "$w_reason" = surplus ]; then
            if [ "$w_refused" = yes ] || [ "$w_deadline" -le "$now" ]; then
                work_on
                return 0
            fi
        elif [ "$w_refused" = yes ]; then
            w_asked=no w_refused=no
            go_warm
        elif [ "$((w_deadline - now))" -le "$force_seconds" ] && may_force; then
            force
            return 0
        fi
        nap "$w_look"
    done
}

# called_off: whether somebody wants the worker back; who only takes back a question does not get
# one that has been told more than that meanwhile.
called_off() {
    { read -r o_which <"$w_lock/resume"; } 2>/dev/null || return 1
    [ "$o_which" = surplus ] && [ "$w_reason" != surplus ] || return 0
    rm -f -- "$w_lock/resume"
    return 1
}

# work_on: the end of a question that was not answered, or that nobody took back.
work_on() {
    say 'it was only asked, and works on'
    # Also where it has not answered: it may yet read what it was told last.
    [ "$w_asked" = no ] || send_order resume || say 'its orders cannot be written'
    w_phase=resumed w_exit=4
}

# may_force: even a deadline that is too near leaves the moment to write down what runs.
may_force() {
    [ "$w_asked" = no ] || [ "$w_phase" != started ] ||
        { since_began && [ "$waited" -ge "$((quiet_seconds_min * 100))" ]; }
}

# begin: asks the worker to go quiet, or starts its warm shutdown where it cannot be asked.
begin() {
    w_look=$look_soon
    w_give_up=0
    # Without their main process they could not be told from others.
    w_children=
    for o_child in $(descendants_of "$w_pid"); do
        read_stat "$o_child" && w_children="$w_children $o_child:$p_start"
    done
    if [ -z "$w_state" ]; then
        say 'celeriac_worker is not installed in it: a warm shutdown is all there is, and what is' \
            'fetched ahead stays in flight until the last task ends'
    elif ! takes_orders "$w_pid"; then
        say 'it has no handler for SIGUSR2 and is never sent one: warm shutdown'
    elif send_order quiet; then
        w_asked=yes
        set_give_up
        return 0
    else
        say 'its orders cannot be written: warm shutdown'
    fi
    give_in
}

# give_in: it cannot be asked to go quiet. A shutdown is no answer to a question.
give_in() {
    if [ "$w_reason" = surplus ]; then w_refused=yes; else go_warm; fi
}

go_warm() {
    # At least one: how many cannot be known, and with none it ends at once.
    w_running=1
    w_stopping=yes w_phase=warm w_look=$look_soon
    stop_warm
}

# set_give_up: how long it gets to answer and to go quiet, in hundredths of a second.
set_give_up() {
    o_wait=$(state_field "$w_state" waitTimeSeconds)
    case $o_wait in '' | *[!0-9]*) o_wait=$wait_seconds_max ;; esac
    w_give_up=$(((o_wait + quiet_margin_seconds) * 100))
    o_third=$(($(seconds_left 0) * 100 / 3))
    [ "$o_third" -ge "$w_give_up" ] || w_give_up=$o_third
    [ "$w_give_up" -ge "$((quiet_seconds_min * 100))" ] || w_give_up=$((quiet_seconds_min * 100))
}

# since_began: hundredths of a second since this drain began, as waited; as words, waited_words.
since_began() {
    uptime
    waited=$((up - w_began))
    waited_words=$((waited / 100)).$((waited / 10 % 10))
}

# look: where the worker is now, and the next step when there is one.
look() {
    [ "$w_asked" = yes ] && read_state "$w_state" || return 0
    since_began
    if [ "$s_drain" != "$w_order_id" ]; then
        [ "$waited" -ge "$w_give_up" ] || return 0
        say "it did not answer within $waited_words s: warm shutdown"
        [ "$w_reason" = surplus ] || w_asked=no
        give_in
        return 0
    fi
    take_counts
    case $s_phase in
    quiet | idle)
        if [ "$w_quiet" = null ]; then
            w_quiet=$waited_words w_look=$look_later
            say "quiet after $waited_words s: $s_handed handed back, $s_failed not," \
                "$s_running running"
        fi
        w_phase=quiet
        ;;
    *)
        w_phase=quieting
        if [ "$waited" -ge "$w_give_up" ] && [ "$w_look" = "$look_soon" ]; then
            say "not quiet within $waited_words s: $s_held messages are still to be handed back"
            w_look=$look_later
        fi
        ;;
    esac
    [ "$s_phase" != idle ] || stop_when_idle
}

stop_when_idle() {
    [ "$w_stopping" = no ] && [ "$w_reason" != surplus ] || return 0
    say "nothing runs any more ($s_finished finished): warm shutdown"
    w_stopping=yes w_look=$look_soon
    stop_warm
}

# knows_what_runs: whether the state file is an answer to this drain, so that its lists count.
knows_what_runs() {
    [ -n "$w_state" ] && read_state "$w_state" && [ "$s_drain" = "$w_order_id" ]
}

# end_gone: the main process has ended; usually because we asked it to.
end_gone() {
    after_end
    w_phase=drained w_exit=0
    # Somebody killed it: an orderly end removes the file.
    if knows_what_runs && [ "$((s_running + s_held))" -gt 0 ]; then
        say "it died with $s_running running"
        # Dead, it can acknowledge nothing; but its children may still work at its tasks.
        for o_child in $w_children; do
            alive "${o_child%:*}" "${o_child#*:}" && kill -KILL "${o_child%:*}" 2>/dev/null
        done
        w_handed=$s_handed w_finished=$s_finished
        w_forced=$s_running w_exit=1 w_phase=handed-back
        o_released=$(release_held) && w_handed=$((w_handed + o_released))
    fi
    forget_state
    w_running=0
}

# force: the deadline. The main process is stopped first, since it acknowledges the tasks of
# children that are killed; then its messages can be handed back safely; then it is ended.
force() {
    say "the deadline is in $(seconds_left 0) s: $w_running running"
    keep_stopped
    o_children=$(descendants_of "$w_pid")
    # One that cannot be stopped is ended at once: dead, it acknowledges nothing either.
    stop_main || kill_main
    for o_child in $o_children; do
        kill -KILL "$o_child" 2>/dev/null || :
    done
    if knows_what_runs; then
        take_counts
        o_released=$(release_held) && w_handed=$((w_handed + o_released))
    else
        say 'what it held is not known and stays in flight until its visibility timeout'
        w_running=1
    fi
    w_forced=$w_running w_phase=handed-back w_exit=1
    # Nothing ran: only the shutdown itself hung.
    [ "$w_running" -gt 0 ] || [ "$s_held" -gt 0 ] || { w_phase=drained && w_exit=0; }
    kill_main
    o_tries=0
    while alive "$w_pid" "$w_start" && [ "$o_tries" -lt 10 ]; do
        o_tries=$((o_tries + 1))
        nap 0.2
    done
    if alive "$w_pid" "$w_start"; then
        say 'it cannot be killed'
        w_phase=failed
        return 0
    fi
    w_running=0
    forget_state
}

# stop_main: the signal acts at once, unless the process waits for a disk: then soon after.
stop_main() {
    kill -STOP "$w_pid" 2>/dev/null || return 1
    o_tries=0
    while read_stat "$w_pid" && [ "$o_tries" -lt 10 ]; do
        case $p_state in T | t) return 0 ;; esac
        o_tries=$((o_tries + 1))
        nap 0.1
    done
    return 1
}
