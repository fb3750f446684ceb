# shellcheck shell=sh
# The commands that drain and that say how it goes. Sourced by drain.sh. The totals over all workers
# begin with t_.

# command_drain: drains every worker found, each in a subshell, and prints how it went.
command_drain() {
    find_workers "$opt_kind" "$opt_name" >"$work/workers"
    t_workers=0 t_pids='' t_running=0 t_handed=0 t_finished=0 t_forced=0 t_quiet=null
    t_deadline=$opt_deadline t_reason=$opt_reason
    while read -r c_kind c_name c_pid; do
        t_workers=$((t_workers + 1))
        note_python "$c_pid"
        drain_one "$t_workers" "$c_kind" "$c_name" "$c_pid" </dev/null >&2 &
        t_pids="$t_pids $!"
    done <"$work/workers"
    if [ "$t_workers" -gt 0 ]; then
        report started
        follow
    elif [ "$opt_reason" != surplus ]; then
        leave_note
    fi
    conclude
}

# leave_note: a worker that only boots yet must not begin to poll on a box that is to leave. Those
# with celeriac_worker read it when they start; past its deadline it says nothing.
leave_note() {
    c_id=${opt_drain_id:-drain-$now-$$}
    c_note="{\"order\": \"quiet\", \"drainId\": \"$c_id\", \"deadline\": $opt_deadline}"
    (umask 022 && put_file "$leaving" "$c_note") 2>/dev/null ||
        say "no note can be left for a worker that starts later: $leaving"
}

# note_python PID: remembers the first Python that may send reports.
note_python() {
    [ ! -f "$work/python" ] || return 0
    c_state=$(state_of "$1") || return 0
    case $c_state in /proc/*) return 0 ;; esac
    c_python=$(state_field "$c_state" python)
    [ -z "$c_python" ] ||
        printf '%s %s %s\n' "$(user_of "$1")" "$(group_of "$1")" "$c_python" >"$work/python"
}

# follow: until the last worker's drain ends, reports what changes.
follow() {
    c_before=
    c_quiet_told=no c_look=$look_soon c_answer='' c_resume_pid=''
    while going_on; do
        nap "$c_look"
        clock
        total_now
        say_failed_report
        if [ "$t_reason" = surplus ]; then
            answer
        elif [ "$c_quiet_told" = no ] && [ "$t_quiet" != null ]; then
            c_quiet_told=yes c_before=$t_running
            report quiet
            [ "$t_running" = 0 ] || c_look=$look_later
        elif [ "$t_running" != "$c_before" ] && report_running; then
            c_before=$t_running
        fi
    done
}

# answer: whether the box is idle, once that is known; one that is busy works on.
answer() {
    if [ "$t_running" -gt 0 ] && [ "$c_answer" != busy ]; then
        c_answer=busy
        report busy
        set -- --resume --reason surplus
        [ "$opt_kind" = all ] || set -- "$@" "--$opt_kind" "$opt_name"
        "$here/drain.sh" "$@" >/dev/null &
        c_resume_pid=$!
    elif [ "$t_quiet" != null ] && [ -z "$c_answer" ]; then
        c_answer=idle c_look=$look_later
        report idle
    fi
}

going_on() {
    for c_pid in $t_pids; do
        kill -0 "$c_pid" 2>/dev/null && return 0
    done
    return 1
}

# total_now: sums what the drains say; it is quiet when the last of them is.
total_now() {
    t_running=0 t_handed=0 t_finished=0 t_forced=0 t_quiet=0.0
    t_deadline=$opt_deadline t_reason=$opt_reason
    c_index=0
    while [ "$c_index" -lt "$t_workers" ]; do
        c_index=$((c_index + 1))
        { read -r _ c_running c_handed c_finished c_forced c_quiet c_deadline c_reason \
            <"$work/$c_index.now"; } 2>/dev/null || { t_quiet=null && continue; }
        t_running=$((t_running + c_running)) t_handed=$((t_handed + c_handed))
        t_finished=$((t_finished + c_finished)) t_forced=$((t_forced + c_forced))
        later_quiet "$c_quiet"
        # Any other reason counts rather than a question.
        if [ "$c_deadline" -lt "$t_deadline" ] ||
            { [ "$t_reason" = surplus ] && [ "$c_reason" != surplus ]; }; then
            t_deadline=$c_deadline t_reason=$c_reason
        fi
    done
}

# later_quiet SECONDS: the larger of it and t_quiet, both with one decimal; null when either is.
later_quiet() {
    if [ "$1" = null ] || [ "$t_quiet" = null ]; then
        t_quiet=null
    elif [ "${1%.*}${1#*.}" -gt "${t_quiet%.*}${t_quiet#*.}" ]; then
        t_quiet=$1
    fi
}

# conclude: prints each worker's result and the total, reports the end, and exits.
conclude() {
    [ -z "${c_resume_pid:-}" ] || wait "$c_resume_pid"
    total_now
    c_index=0
    while [ "$c_index" -lt "$t_workers" ]; do
        c_index=$((c_index + 1))
        # A drain that ended without a result was killed.
        cat "$work/$c_index.result" 2>/dev/null || echo '? null 0 0 0 1 1'
    done >"$work/results"
    while [ "$t_workers" -gt 1 ] && read -r c_line; do
        print_result "$c_line"
    done <"$work/results"
    c_total=$(total_of_results <"$work/results")
    c_exit=${c_total##* }
    print_result "$c_total"
    [ "$t_workers" = 0 ] ||
        put_file "$box/last" "$t_handed $t_finished ${opt_drain_id:--} $t_deadline"
    case $c_exit in
    0) report drained ;;
    3) say 'nothing to drain' && report nothing ;;
    4) [ "${c_answer:-}" = busy ] || report resumed ;;
    *) if [ "$t_running" -gt 0 ]; then report failed; else report handed-back; fi ;;
    esac
    report_settle
    exit "$c_exit"
}

# print_result "NAME QUIET HANDED FINISHED FORCED RUNNING EXIT": as the JSON of --help. A name holds
# nothing that JSON would escape.
print_result() {
    # shellcheck disable=SC2086 # split on purpose: seven words
    set -- $1
    [ "$1" != - ] || set -- '' "$2" "$3" "$4" "$5" "$6" "$7"
    printf '{"worker": "%s", "quietSeconds": %s, "handedBack": %s, "finished": %s, ' \
        "$1" "$2" "$3" "$4"
    printf '"forced": %s, "stillRunning": %s, "exit": %s}\n' "$5" "$6" "$7"
}

# total_of_results: one line of them all. One worker whose rest was handed back makes it 1.
total_of_results() {
    awk '{
            name = name (NR > 1 ? "," : "") $1
            if ($2 == "null") unquiet = 1; else if ($2 + 0 > quiet) quiet = $2
            handed += $3; finished += $4; forced += $5; running += $6
            if ($7 == 1) bad = 1; else if ($7 == 4) off = 1; else if ($7 == 3) none++
        }
        END { print (NR ? name : "-"), (unquiet || !NR ? "null" : quiet + 0), handed + 0,
            finished + 0, forced + 0, running + 0, (bad ? 1 : off ? 4 : none == NR ? 3 : 0) }'
}

# command_status: one line about them all.
command_status() {
    find_workers "$opt_kind" "$opt_name" >"$work/workers"
    while read -r w_kind w_name w_pid; do
        status_of
    done <"$work/workers" >"$work/statuses"
    c_last=
    [ -s "$work/statuses" ] || c_last=$(cat "$box/last" 2>/dev/null)
    {
        cat "$work/statuses"
        # What is gone can only be told by the drain that stopped it.
        [ -z "$c_last" ] || printf 'gone 0 %s\n' "$c_last"
    } | awk '
        BEGIN { split("working quieting quiet idle gone", names, " ")
            for (i in names) rank[names[i]] = i
            least = 5; drain = deadline = "-" }
        { workers += $1 != "gone"; if (rank[$1] < least) least = rank[$1]
            if ($2 == "?") unknown = 1; else running += $2
            handed += $3; finished += $4
            if ($6 != "-" && (deadline == "-" || $6 < deadline)) { drain = $5; deadline = $6 } }
        END {
            printf "{\"workers\": %d, \"phase\": \"%s\", ", workers, names[least]
            printf "\"running\": %s, ", unknown ? "null" : running + 0
            printf "\"handedBack\": %d, \"finished\": %d, ", handed, finished
            printf "\"drainId\": %s, ", drain == "-" ? "null" : "\"" drain "\""
            printf "\"deadline\": %s}\n", deadline == "-" ? "null" : deadline }'
}

# status_of: `phase running handed finished drain deadline` of the worker w_*.
status_of() {
    w_start=$(start_of "$w_pid") && open_worker || return 0
    c_drain=- c_deadline=- c_phase=working c_running='?' c_handed=0 c_finished=0
    if lock_owner; then
        read_wishes
        # Whoever wants to drain a worker that is only asked need not hold back.
        [ "$w_reason" = surplus ] || c_deadline=$w_deadline
        c_drain=$w_drain_id c_phase=quieting
    fi
    if [ -n "$w_state" ] && read_state "$w_state"; then
        c_handed=$s_handed c_finished=$s_finished
        [ "$s_phase" = working ] || c_phase=$s_phase c_running=$s_running
    fi
    printf '%s\n' "$c_phase $c_running $c_handed $c_finished $c_drain $c_deadline"
}
