# shellcheck shell=sh
# The command that takes a drain back. Sourced by drain.sh. The totals over all workers begin with
# t_.

# How often, 0.2 s apart, --resume looks whether it has happened: it usually has at the first.
resume_tries=50

# command_resume: lets quiet workers poll again, and starts what a drain has stopped.
command_resume() {
    c_which=all
    if [ "$opt_reason" = surplus ]; then c_which=surplus; else rm -f -- "$leaving"; fi
    find_workers "$opt_kind" "$opt_name" >"$work/workers"
    t_resumed=0 t_failed=0 c_called_off=no
    while read -r w_kind w_name w_pid; do
        w_index=$((w_index + 1))
        note_python "$w_pid"
        resume_alive
    done <"$work/workers"
    for c_file in "$box"/stopped.*; do
        [ -f "$c_file" ] || continue
        [ "$c_which" = all ] || continue
        read -r w_kind w_name c_policy <"$c_file"
        [ "$opt_kind" = all ] || [ "$opt_kind $opt_name" = "$w_kind $w_name" ] || continue
        resume_stopped
    done
    w_name=
    if [ "$((t_resumed + t_failed))" = 0 ] && [ "$opt_kind" = pidfile ] &&
        [ ! -s "$work/workers" ]; then
        say 'there is no such worker, and a pid file does not tell how to start one'
        t_failed=1
    fi
    c_exit=0
    [ "$((t_resumed + t_failed))" -gt 0 ] || c_exit=3
    [ "$t_failed" = 0 ] || c_exit=1
    printf '{"resumed": %s, "failed": %s, "exit": %s}\n' "$t_resumed" "$t_failed" "$c_exit"
    report_resumed
    exit "$c_exit"
}

# report_resumed: unless a drain that was called off does it.
report_resumed() {
    [ "$t_resumed" -gt 0 ] && [ "$c_called_off" = no ] || return 0
    t_workers=$t_resumed t_running=0 t_handed=0 t_finished=0 t_forced=0 t_quiet=null
    t_deadline=${opt_deadline:-$now} t_reason=${opt_reason:-manual}
    report resumed
    report_settle
}

# resume_alive: the worker w_*, when it is quiet or a drain has it.
resume_alive() {
    w_start=$(start_of "$w_pid") && open_worker || return 0
    c_tries=0
    while lock_owner && [ "$c_tries" -lt "$resume_tries" ]; do
        # What has been told more than that question keeps it.
        [ "$c_which" = all ] || read_wishes
        [ "$c_which" = all ] || [ "$w_reason" = surplus ] || return 0
        c_called_off=yes
        printf '%s\n' "$c_which" >"$w_lock/resume"
        c_tries=$((c_tries + 1))
        nap 0.2
    done
    [ -n "$w_state" ] && read_state "$w_state" || return 0
    # One that already shuts down has no way back: `resume_stopped` starts it again.
    [ "$s_phase" != working ] && [ ! -f "$box/stopped.$w_kind.$w_name" ] || return 0
    send_order resume || say 'its orders cannot be written'
    while [ "$c_tries" -lt "$resume_tries" ] && read_state "$w_state" &&
        [ "$s_phase" != working ]; do
        c_tries=$((c_tries + 1))
        nap 0.2
    done
    if [ "$s_phase" = working ]; then
        say 'works again'
        t_resumed=$((t_resumed + 1))
    else
        say 'does not answer'
        t_failed=$((t_failed + 1))
    fi
}

# resume_stopped: what the record in c_file says, once its old process is gone.
resume_stopped() {
    c_tries=0
    while find_workers "$w_kind" "$w_name" | grep -q . && [ "$c_tries" -lt "$resume_tries" ]; do
        c_tries=$((c_tries + 1))
        nap 0.2
    done
    if [ "$c_tries" -lt "$resume_tries" ] && start_again "$w_kind" "$w_name" "$c_policy"; then
        rm -f -- "$c_file"
        say 'started again'
        t_resumed=$((t_resumed + 1))
    else
        say 'cannot be started again, or its last tasks still run'
        t_failed=$((t_failed + 1))
    fi
}
