/* hub_rollout_cases.h - the tables of hub_rollout_engine_test.c, which says how they are read. */
#ifndef FEDLET_TESTS_UNIT_HUB_ROLLOUT_CASES_H
#define FEDLET_TESTS_UNIT_HUB_ROLLOUT_CASES_H

struct rollout_case {
    const char *name;
    const char *text;
    bool alone; /* not with restarts between: absences would begin anew */
};

#define CANARY "{'name':'canary','clusters':{'names':['a']}"
#define SHOPS "{'name':'shops','clusters':{'selector':{'matchLabels':{'kind':'shop'}}}"
#define SHOP "{'kind':'shop'}"
#define THREE "fleet a b" SHOP " c" SHOP " d\nadopt A\n"

static const struct rollout_case rollout_cases[] = {
    {"waves in order, and the rest last",
        "rules {'waves':[" CANARY "}," SHOPS "}]}\n" THREE "begin B\n"
        "= phase Running\n= B a\n= A b c d\n= next wave shops opens\n= next 1 updating\n"
        "= why b wave shops has not begun\n= wave canary Running\n= wave shops Waiting\n"
        "ok a\n"
        "= B a b c\n= wave canary Done\n= wave shops Running\n"
        "ok b\n= B a b c\nok c\n= B a b c d\n= wave rest Running\n= next the rollout is complete\n"
        "ok d\n= phase Complete\n= A none\n= next \n",
        false},
    {"no waves: all in one", "rules {}\n" THREE "begin B\n= B a b c d\nok all\n= phase Complete\n",
        false},
    {"a rule for health that is none: applied is enough",
        "rules {}\n" THREE "begin B\napplied all\n= phase Complete\n", false},
    {"concurrency: an absolute number, in one order",
        "rules {'waves':[{'name':'w','clusters':{'selector':{}},'maxConcurrency':2}]}\n" THREE
        "begin B\n= count B 2\nok all:B\n= count B 4\nok all:B\n= phase Complete\n",
        false},
    {"concurrency: 1% of four is one, 26% of four is two",
        "rules {'waves':[{'name':'w','clusters':{'selector':{}},'maxConcurrency':'1%'}]}\n" THREE
        "begin B\n= count B 1\n"
        "rules {'waves':[{'name':'w','clusters':{'selector':{}},'maxConcurrency':'26%'}]}\n"
        "begin C\n= count C 2\n",
        false},
    {"an unhealthy one keeps its place, a healthy one gives it",
        "rules {'waves':[{'name':'w','clusters':{'names':['a','b','c']},'maxConcurrency':1}]}\n"
        "fleet a b c\nadopt A\nbegin B\nbad all:B\nwait 5m\n= count B 1\nok all:B\n= count B 2\n",
        false},
    {"size: the first by hash, no more",
        "rules {'waves':[{'name':'w','clusters':{'size':2}}]}\n" THREE
        "begin B\n= count B 2\nok all:B\n= count B 4\n",
        false},
    {"size: 26% of four is two; it is closed when it has begun",
        "rules {'waves':[{'name':'w','clusters':{'size':'26%'}}]}\n" THREE
        "begin B\n= count B 2\nfleet e f g h i j k\n= count B 2\nok all:B\n= count B 11\n",
        false},
    {"soak: healthy that long without a break",
        "rules {'waves':[{'name':'canary','clusters':{'names':['a']},'soak':'10m'}]}\n" THREE
        "begin B\nok a\n= phase Soaking\n= when 600\n= next soak of wave canary\n"
        "wait 9m59s\n= B a\nbad a\n= phase Running\n= next 1 updating\nwait 1m\n= B a\nok a\n"
        "= phase Soaking\nwait 9m59s\n= B a\nwait 1s\n= B a b c d\n",
        false},
    {"soak: a wall clock that is set shortens nothing",
        "rules {'waves':[{'name':'canary','clusters':{'names':['a']},'soak':'10m'}]}\n" THREE
        "begin B\nok a\nclock 86400\nwait 9m59s\n= B a\n= when 1\nclock -200000\nwait 500ms\n= B "
        "a\n"
        "wait 500ms\n= B a b c d\n",
        false},
    {"soak: one that came late does not stand in for one that got lost",
        "rules {'offline':{'after':'1m'},'waves':[{'name':'w','clusters':{'names':['a','b']},"
        "'soak':'10m'}]}\n" THREE
        "out b\nbegin B\nok a\nwait 1m\n= phase Soaking\n= when 600\nwait 8m\nin b\nok b\n"
        "out a\nwait 2m\n= a Deferred\n= B a b\n= phase Soaking\n= when 480\nwait 7m59s\n= B a b\n"
        "wait 1s\n= B a b c d\n",
        true},
    {"soak of the last wave: complete after it",
        "rules {'waves':[{'name':'w','clusters':{'selector':{}},'soak':'1m'}]}\n" THREE
        "begin B\nok all\n= phase Soaking\n= next the rollout is complete\nwait 1m\n"
        "= phase Complete\n",
        false},
    {"approval: a person lets the next wave open",
        "rules {'waves':[" CANARY ",'approval':'Required'},{'name':'w','clusters':{'selector':{}},"
        "'approval':'Required'}]}\n" THREE
        "begin B\nno approve canary\nok a\n= phase AwaitingApproval\n= B a\n"
        "= next approval of wave canary\nwait 24h\n= B a\nno approve w\nact approve canary\n"
        "= B a b c d\nok all\n= phase Complete\n",
        false},
    {"approval: what is disturbed is approved anew",
        "rules {'waves':[" CANARY ",'soak':'1m','approval':'Required'}]}\n" THREE
        "begin B\nok a\nwait 1m\n= phase AwaitingApproval\nbad a\n= phase Running\nno approve\n"
        "ok a\nwait 1m\nact approve\n= B a b c d\n",
        false},
    {"failure: not healthy in time; the default is to pause at the first",
        "rules {'progressDeadline':'5m','waves':[" CANARY "}]}\n" THREE
        "begin B\nwait 2m\nbad a\nwait 4m59s\n= phase Running\n= a Applied\nwait 1s\n= a Failed\n"
        "= phase Paused\n= B a\n= cond Healthy TooManyFailures\n= group 1 Unhealthy\n",
        true},
    {"failure: not applied in time, out of reach not counted",
        "rules {'progressDeadline':'5m','offline':{'after':'1h'},'waves':[" CANARY "}]}\n" THREE
        "begin B\nwait 4m\nout a\nwait 30m\n= a Released\nin a\nwait 59s\n= a Released\nwait 1s\n"
        "= a Failed\n= group 1 NotApplied\n",
        true},
    {"failure: a restart of the hub begins no deadline anew, and leaves a minute to report",
        "rules {'waves':[" CANARY "}]}\n" THREE
        "begin B\nbad a\nwait 5m\nrestart\nwait 4m59s\n= a Applied\nwait 1s\n= a Failed\n"
        "begin C\nbad a\nwait 9m59s\nrestart\nwait 59s\n= a Applied\nwait 1s\n= a Failed\n",
        true},
    {"failure: refused, at once; a failed one that heals in time leaves the failed",
        "rules {'maxFailures':1,'waves':[{'name':'w','clusters':{'names':['a','b','c']}}]}\n" THREE
        "begin B\nrefused a\n= a Failed\n= phase Running\nok b c\n= phase Running\n= B a b c d\n"
        "ok a\n= a Healthy\nrefused d\n= phase Complete\n",
        false},
    {"limit: of the wave, and of all",
        "rules {'maxFailures':3,'waves':[{'name':'w','clusters':{'names':['a','b','c']},"
        "'maxFailures':1}]}\n" THREE
        "begin B\nrefused a\n= phase Running\nrefused b\n= phase Paused\n",
        false},
    {"limit: just as many go on, one more does not",
        "rules {'maxFailures':3}\nfleet a b c d e\nadopt A\nbegin B\nrefused a b c\n"
        "= phase Running\nrefused d\n= phase Paused\n= group 4 ApplyFailed\n",
        false},
    {"limit: percentages are rounded down, so 49% of two is none",
        "rules {'maxFailures':'49%'}\nfleet a b\nadopt A\nbegin B\nrefused a\n= phase Paused\n",
        false},
    {"limit: 50% of two is one",
        "rules {'maxFailures':'50%'}\nfleet a b\nadopt A\nbegin B\nrefused a\n= phase Running\n"
        "ok b\n= phase Complete\n",
        false},
    {"a healthy one that turns bad for long is a failure, also behind its gate",
        "rules {'progressDeadline':'5m','waves':[" CANARY "}]}\n" THREE
        "begin B\nok a\n= B a b c d\nbad a\nwait 5m\n= a Failed\n= phase Paused\n",
        false},
    {"resume accepts what failed",
        "rules {'waves':[{'name':'w','clusters':{'names':['a','b']},'maxConcurrency':1}]}\n" THREE
        "begin B\nrefused all:B\n= phase Paused\nwait 1h\n= count B 1\nact resume\n= count B 2\n"
        "ok a b\n= phase Running\n",
        false},
    {"rollback: the touched ones, and only they, get what was before",
        "rules {'onFailure':'Rollback','waves':[" CANARY "}," SHOPS "}]}\n" THREE
        "begin B\nok a\n= B a b c\nok b\nrefused c\n= phase RollingBack\n= A a b c d\n"
        "= d Pending\n= a Returning\n= why a it was rolled back\nok a b\n= phase RollingBack\n"
        "ok c\n= phase RolledBack\n= c Returned\n= d Pending\n= cond RolledBack TooManyFailures\n"
        "no undo\nno pause\n",
        false},
    {"rollback: who is out of reach is not waited for, and goes back when it returns",
        "rules {'onFailure':'Rollback','offline':{'after':'1m'}}\n" THREE
        "begin B\nok a b\nout a\nrefused c\n= A a b c d\nok b c d\n= phase RollingBack\nwait 1m\n"
        "= phase RolledBack\n= a Returning\nin a\nok a\n= a Returned\n",
        false},
    {"rollback: one that cannot take it does not hold it for ever",
        "rules {'onFailure':'Rollback'}\n" THREE
        "begin B\nok a b c\nrefused d\nok a b c\nrefused d\n= phase RolledBack\n= d Stuck\n"
        "= cond RolledBack Incomplete\nok d\n= d Returned\n= cond RolledBack TooManyFailures\n",
        false},
    {"rollback of a first version is a pause: nothing is deleted",
        "rules {'onFailure':'Rollback'}\nfleet a b\nbegin A\n= A a b\nrefused a\n= phase Paused\n"
        "= A a b\n= cond RolledBack NoPreviousVersion\nno undo\n",
        false},
    {"a first version: nothing before its turn",
        "rules {'waves':[" CANARY "}]}\nfleet a b\nbegin A\n= A a\n= - b\nok a\n= A a b\n", false},
    {"pause: what is on its way goes on, nobody else begins",
        "rules {'waves':[" CANARY "}]}\n" THREE
        "begin B\nact pause\nno pause\nok a\n= a Healthy\n= B a\n= phase Paused\nwait 24h\n= B a\n"
        "= why b it is paused\nact resume\n= B a b c d\nno resume\n",
        false},
    {"pause inside a wave: the places that get free stay so",
        "rules {'waves':[{'name':'w','clusters':{'selector':{}},'maxConcurrency':1}]}\n" THREE
        "begin B\nact pause\nok all:B\nwait 1h\n= count B 1\nact abort\nok all\n= count B 1\n",
        false},
    {"abort: everybody keeps what it has; the next change goes from there",
        "rules {'waves':[" CANARY "}]}\n" THREE
        "begin B\nok a\nact abort\n= phase Aborted\n= B a b c d\nfleet e\n= A e\nno abort\n"
        "begin C\n= C a\n= B b c d\n= A e\nok a\n= C a b c d e\n",
        false},
    {"undo, while it runs and when it is complete",
        "rules {'waves':[" CANARY "}]}\n" THREE
        "begin B\nact undo\n= A a b c d\nok a\n= phase RolledBack\n= cond RolledBack Undone\n"
        "act retry\n= B a\nok a b c d\nok a b c d\n= phase Complete\nact undo\n= A a b c d\nok "
        "all\n"
        "= phase RolledBack\nbegin A\n= phase Complete\nno undo\n",
        false},
    {"retry: the failed ones once more, counted from nothing",
        "rules {'progressDeadline':'5m','waves':[" CANARY "}]}\n" THREE
        "begin B\nno retry\nrefused a\n= phase Paused\nact retry\n= phase Running\n= a Released\n"
        "= B a\nok a\n= B a b c d\n",
        false},
    {"retry: one that gave the version up is told to try it once more, with its turn",
        "rules {'maxFailures':9,'waves':[{'name':'w','clusters':{'selector':{}},"
        "'maxConcurrency':1}]}\nfleet a b\nadopt A\nbegin B\nrefused all:B\nrefused all:B\n"
        "= tries a 0\n= tries b 0\nact retry\n= count B 2\n= told 1\nrefused all\n= told 2\n"
        "refused all\nact retry\n= told 3\nok all\n= told 4\nok all\n= phase Complete\n"
        "act undo\n= tries a 0\n= tries b 0\n= A a b\n",
        false},
    {"retry: what was told of a version stays with it, for it would be another work",
        "rules {'waves':[" CANARY "}]}\n" THREE
        "begin B\nrefused a\nact retry\n= tries a 1\nok all\nok all\n= phase Complete\nbegin C\n"
        "= tries a 0\n= C a\nok a\nact undo\n= B a b c d\n= tries a 1\n= tries b 0\nok all\n"
        "= phase RolledBack\nact retry\n= tries a 0\n= C a\n",
        false},
    {"retry: one that did not say that it went back may not have",
        "rules {'onFailure':'Rollback','offline':{'after':'1m'},'waves':[" CANARY "}]}\n" THREE
        "begin B\ntaken a\nrefused a\nout a\n= A a b c d\nwait 1m\n= phase RolledBack\n"
        "act retry\nin a\n= B a\n= tries a 1\n",
        false},
    {"retry: one that is only late is not told",
        "rules {'waves':[" CANARY "}]}\n" THREE
        "begin B\nbad a\nwait 10m\n= a Failed\nact retry\n= tries a 0\n= a Applied\n",
        true},
    {"retry: windows hold whoever is to be told",
        "rules {'waves':[{'name':'w','clusters':{'selector':{}},'windows':[{'from':'00:00','to':"
        "'01:00'}]}]}\nfleet a\nadopt A\nbegin B\nwait 2h\nrefused a\nact retry\n= a Held\n"
        "= tries a 0\nwait 22h\n= tries a 1\n",
        false},
    {"retry with the same rules: waves that are done stay so",
        "rules {'waves':[" CANARY ",'approval':'Required'}]}\n" THREE
        "begin B\nok a\nact approve\nrefused b\n= phase Paused\n"
        "rules {'waves':[" CANARY ",'approval':'Required'}]}\nrerule\nact retry\n"
        "= wave canary Done\n= b Released\nok b c d\n= phase Complete\n",
        false},
    {"retry: aborted on its way back, it has the first wave's proof to give again",
        "rules {'waves':[" CANARY "}," SHOPS "}]}\n" THREE
        "begin B\nok a\nok b\nok c\n= B a b c d\nact undo\nok a\nact abort\n= phase Aborted\n"
        "act retry\n= B a\n= wave canary Running\nok a\n= B a b c\nok b c\n= B a b c d\nok d\n"
        "= phase Complete\n",
        false},
    {"retry: what was approved before it is approved anew",
        "rules {'waves':[" SHOPS ",'approval':'Required'}]}\n"
        "fleet b" SHOP " d\nadopt A\nbegin B\nok b\n= phase AwaitingApproval\nfleet c" SHOP "\n"
        "act approve\n= phase Running\nact pause\nact retry\nok c\n= phase AwaitingApproval\n"
        "= B b c\nact approve\n= B b d c\n",
        false},
    {"retry: all that failed at once, and the hub is killed in the midst of it",
        "rules {}\n" THREE "begin B\nrefused all\n= phase Paused\nact retry\n= phase Running\n"
        "= B a b c d\nok all\n= phase Complete\n",
        false},
    {"retry with other rules: its waves from the first",
        "rules {'waves':[" CANARY "}]}\n" THREE "begin B\nrefused a\n= phase Paused\n"
        "rules {'waves':[{'name':'other','clusters':{'names':['d']}}]}\nrerule\nact retry\n"
        "= B a d\n= wave other Running\n= a Pending\nok d\n= B a b c d\n",
        false},
    {"offline: deferred, then it catches up, also when it is complete",
        "rules {'offline':{'after':'10m'},'waves':[" SHOPS ",'maxConcurrency':1}]}\n"
        "fleet a b" SHOP " c" SHOP " d" SHOP "\nout b c\nadopt A\nbegin B\n= B d\nok d\n"
        "= next 2 pending\nwait 9m59s\n= B d\nwait 1s\n= b Deferred\n= B a d\nok a\n"
        "= phase Complete\n= next 2 clusters catch up\nin b c\n= count B 3\nok all:B\n= count B 4\n"
        "ok all\n= phase Complete\n= next \n",
        true},
    {"offline, released and never heard of: it loses its turn, and has it again",
        "rules {'offline':{'after':'10m'},'waves':[" CANARY "}," SHOPS ",'maxConcurrency':1}]}\n"
        "fleet a b" SHOP " c" SHOP "\nadopt A\nbegin B\nok a\n= count B 2\nout all:B\nwait 10m\n"
        "= count A 1\n= a Healthy\n= next 1 updating\nin all\n= count A 1\n",
        false},
    {"offline with the version fetched: it keeps it, and goes on",
        "rules {'offline':{'after':'10m'},'waves':[" CANARY "}]}\n" THREE
        "begin B\ntaken a\nout a\nwait 10m\n= a Deferred\n= B a\nin a\n= a Released\nok a\n"
        "= B a b c d\n",
        false},
    {"hold: nobody is deferred, and the gate waits",
        "rules {'offline':{'after':'1m','then':'Hold'},'waves':[" SHOPS "}]}\n" THREE
        "out b\nbegin B\n= B c\nok c\nwait 24h\n= B c\n= next out of reach\nin b\n= B b c\nok b\n"
        "= B a b c d\n",
        false},
    {"hold: a healthy one out of reach for long speaks for nothing",
        "rules {'offline':{'after':'1m','then':'Hold'},'waves':[" CANARY ",'soak':'5m'}]}\n" THREE
        "begin B\nok a\nout a\nwait 1h\n= B a\n= next healthy but out of reach\nin a\n"
        "= B a b c d\n",
        true},
    {"proof: a canary that goes out of reach while it soaks proves nothing",
        "rules {'offline':{'after':'1m'},'waves':[" CANARY ",'soak':'5m'}]}\n" THREE
        "begin B\nok a\nout a\nwait 1h\n= B a\n= cond NotEnoughClusters MinReported\nin a\nok a\n"
        "= phase Soaking\nwait 5m\n= B a b c d\n",
        false},
    {"proof: minReported of a wave that is too small never opens",
        "rules {'minReported':2,'waves':[" CANARY "}]}\n" THREE
        "begin B\nok a\nwait 24h\n= B a\n= cond NotEnoughClusters MinReported\n= next proof of 2\n",
        false},
    {"proof: an empty first wave holds and says so",
        "rules {'waves':[{'name':'none','clusters':{'names':['x']}}]}\n" THREE
        "begin B\nwait 24h\n= B none\n= phase Running\n= cond WaveEmpty NoClusters\n"
        "= cond WaveEmpty none of the 4 that the object selects is in {\"names\":[\"x\"]}\n"
        "= wave none Running\nfleet x\n= B x\nok x\n= B a b c d x\n= cond WaveEmpty none\n",
        false},
    {"proof: an empty wave in the middle has that of the ones before",
        "rules {'waves':[" CANARY "},{'name':'none','clusters':{'names':['x']}}]}\n" THREE
        "begin B\nok a\n= B a b c d\n= wave none Empty\n",
        false},
    {"nobody selected: it waits for somebody, and its waves are then made",
        "rules {'waves':[{'name':'w','clusters':{'size':1}}]}\nbegin A\n= phase Running\n"
        "= next a cluster that the object selects\nwait 1h\nfleet a b c\n= count A 1\n",
        false},
    {"windows: only inside, by the cluster's own time",
        "rules {'waves':[{'name':'w','clusters':{'selector':{}},'windows':[{'from':'02:00',"
        "'to':'05:00','timeZoneLabel':'tz'}]}]}\n"
        "fleet a b{'tz':'Test.Plus3'} c{'tz':'Test-Minus8'} d{'tz':'No.Where'}\nadopt A\nbegin B\n"
        "= B b\n= a Held\nok b\n= next held\n= when 7200\n= cond WindowNeverOpens InvalidTimeZone\n"
        "= cond WindowNeverOpens label tz of cluster d is \"No.Where\"\n"
        "= why a no window\n= why d no time zone\nwait 1h59m59s\n= B b\nwait 1s\n= B a b\nok a\n"
        "wait 7h59m59s\n= B a b\nwait 1s\n= B a b c\nok c\nwait 72h\n= B a b c\n"
        "label d {}\n= d Held\nwait 15h59m59s\n= d Held\nwait 1s\n= B a b c d\n",
        false},
    {"windows: days, and over midnight",
        "rules {'waves':[{'name':'w','clusters':{'selector':{}},'windows':[{'days':['Tue'],"
        "'from':'23:00','to':'01:00'}]}]}\nfleet a\nadopt A\nbegin B\n= when 169200\nwait 47h\n= B "
        "a\n",
        false},
    {"windows: one that joins while it is open",
        "rules {'waves':[{'name':'w','clusters':{'selector':{}},'windows':[{'days':['Tue'],"
        "'from':'23:00','to':'01:00'}]}]}\nfleet a\nadopt A\nbegin B\nwait 47h\nok a\nwait 1h\n= "
        "phase Complete\nfleet b\n= b Released\n"
        "= B a b\nok b\n= phase Complete\nfleet c\n= B a b c\nok c\nwait 1h\nfleet d\n= d Held\n"
        "= next 1 cluster catches up\n",
        false},
    {"hold: a cluster whose quiet window ends soon is waited for, and takes no place",
        "rules {'waves':[{'name':'w','clusters':{'names':['a','b']},'maxConcurrency':1}]}\n" THREE
        "hold a 3600\nbegin B\n= B b\n= a Held\n= why a quiet window\nok b\n= phase Running\n"
        "= next held until changes of the cluster wait no longer\n= when 3600\nwait 59m\n= B b\n"
        "wait 1m\nhold a -\n= B a b\nok a\n= B a b c d\nok c d\n= phase Complete\n",
        false},
    {"hold: one that does not end soon counts as absence, once",
        "rules "
        "{'offline':{'after':'10m'},'waves':[{'name':'w','clusters':{'names':['a','b']}}]}\n" THREE
        "hold a 0\nbegin B\nok b\nwait 9m59s\n= B b\n= a Held\nwait 1s\n= a Deferred\n"
        "= B b c d\nok c d\n= phase Complete\n= writes 6\nwait 48h\n= writes 0\n= a Deferred\n"
        "hold a -\n= B a b c d\n",
        true},
    {"hold: a version that was not sent yet, and is asked for again",
        "rules {'offline':{'after':'1m'}}\nfleet a b\nadopt A\nbegin B\nok all\nhold b 0\nact "
        "undo\n"
        "ok a\nbegin A\nwait 10m\n= phase Complete\n= b Deferred\nhold b -\nok b\n= b Healthy\n",
        true},
    {"hold: with Hold, everybody waits for it",
        "rules {'offline':{'after':'1m','then':'Hold'},'waves':[" CANARY "}]}\n" THREE
        "hold a 0\nbegin B\nwait 24h\n= B none\nhold a -\n= B a\n",
        false},
    {"hold: one that has it already, and is healthy, is no absence",
        "rules {'offline':{'after':'1m'},'waves':[" CANARY ",'soak':'10m'}]}\n" THREE
        "begin B\nok a\nhold a 0\nwait 9m\n= a Healthy\n= phase Soaking\nwait 1m\n= B a b c d\n",
        false},
    {"hold: one that begins between the turn and the sending takes the turn back",
        "rules {'waves':[" CANARY "}]}\n" THREE
        "hold a 600\nbegin B\n= A a b c d\nhold a -\n= B a\nwait 5m\n= a Released\n",
        false},
    {"hold: the way back waits, too, and nobody for it",
        "rules {'waves':[" CANARY "}]}\n" THREE
        "begin B\nok a\nok b c d\n= phase Complete\nhold b 3600\nact undo\n= A a b c d\nok a c d\n"
        "= phase RolledBack\nwait 50m\n= b Returning\nwait 10m\nhold b -\nwait 9m\n= b Returning\n"
        "ok b\n= b Returned\n",
        false},
    {"a new change back to what some still have: out of reach, they keep it",
        "rules {'waves':[" CANARY "}]}\n" THREE
        "begin B\nok a\n= B a b c d\nbegin C\n= C a\n= B b c d\nbegin B\nok a\n= B a b c d\n"
        "out c\nwait 10m\n= c Deferred\n= B a b c d\n",
        true},
    {"complete: what turns bad later stops nobody who joins",
        "rules {'progressDeadline':'5m'}\nfleet a b\nadopt A\nbegin B\nok all\n= phase Complete\n"
        "bad a\nwait 5m\n= a Failed\n= phase Complete\n= cond Healthy Failures\nfleet c\n= B a b "
        "c\n"
        "refused c\n= c Failed\nfleet d\n= A d\n= cond CatchUpStopped TooManyFailures\n"
        "act retry\nok all\n= B a b c d\n",
        false},
    {"join: before its wave it gets what was before; with its wave, its turn",
        "rules {'waves':[" CANARY "}," SHOPS "}]}\n" THREE "begin B\nfleet e" SHOP
        "\n= A b c d e\nok a\n= B a b c e\nfleet f" SHOP "\n= B a b c e f\n",
        false},
    {"leave: it drops out of every count",
        "rules {'waves':[" CANARY "}," SHOPS "}]}\n" THREE
        "begin B\nok a\nok b\ngone c\n= B a b d\nrefused d\n= phase Paused\ngone d\nact resume\n"
        "= phase Complete\n",
        false},
    {"labels: they move whoever was not touched",
        "rules {'waves':[" CANARY "}," SHOPS "}]}\n" THREE "begin B\nlabel d " SHOP
        "\nlabel b {}\nok a\n= B a c d\nlabel c {}\nok c d\n= B a b c d\n",
        false},
    {"labels: nor whoever was given back what was before, in the wave of its turn",
        "rules {'waves':[" SHOPS ",'soak':'10m'}]}\nfleet a" SHOP " b\nadopt A\nbegin B\nok a\n"
        "begin A\n= B none\n= phase Running\nlabel a {}\nok a\nrestart\nok a\n= wave shops "
        "Soaking\nwait 10m\n"
        "ok b\n= phase Complete\n",
        false},
    {"a new change supersedes: whoever has the one between keeps it until its turn",
        "rules {'waves':[" CANARY "}," SHOPS "}]}\n" THREE
        "begin B\nok a\n= B a b c\nbegin C\n= C a\n= B b c\n= A d\nok a\n= C a b c\nok b c\n"
        "= C a b c d\n",
        false},
    {"a new change that fails goes back to the last complete one, with all that were touched",
        "rules {'onFailure':'Rollback','waves':[" CANARY "}," SHOPS "}]}\n" THREE
        "begin B\nok a\nbegin C\nrefused a\n= A a b c d\nok a b c\n= phase RolledBack\n= d "
        "Pending\n",
        false},
    {"back to the version before, by a new change: in its waves",
        "rules {'waves':[" CANARY "}," SHOPS "}]}\n" THREE
        "begin B\nok a\nbegin A\n= A a d\n= B b c\nok a\n= A a b c d\nok all\n= phase Complete\n",
        false},
    {"the same content and nobody touched: complete at once",
        "rules {}\n" THREE "begin A\n= phase Complete\n= A a b c d\n", false},
    {"a complete one is what the next goes back to",
        "rules {'onFailure':'Rollback'}\n" THREE
        "begin B\nok all\nbegin C\nrefused a\n= B a b c d\nok all\n= phase RolledBack\n",
        false},
    {"too late to take the version before: it has an older one until the next",
        "rules {'offline':{'after':'1m'}}\nfleet a b\nout b\nadopt A\nbegin B\nok a\nwait 1m\n"
        "= phase Complete\nbegin C\n= C a\n= A b\nok a\nwait 1m\nin b\n= C a b\n",
        false},
    {"rows: of the touched, and only when they change",
        "rules {'waves':[" CANARY "}]}\n" THREE
        "begin B\n= writes 1\nwait 1m\n= writes 0\nok a\n= writes 4\nok b c d\n= writes 3\n"
        "wait 24h\n= writes 0\nout b\nwait 1h\n= writes 0\n",
        true},
    {"catching up stops when too many fail",
        "rules {'offline':{'after':'1m'},'waves':[{'name':'w','clusters':{'selector':{}},"
        "'maxConcurrency':1}]}\nfleet a b c\nout b c\nadopt A\nbegin B\nok a\nwait 1m\n"
        "= phase Complete\nin b c\n= count B 2\nrefused all:B\nok a\n= count B 2\n"
        "= cond CatchUpStopped TooManyFailures\n",
        false},
    {"versions: as many as clusters may have, then it waits",
        "rules {'waves':[{'name':'w','clusters':{'selector':{}},'maxConcurrency':1}]}\n"
        "fleet a b c d e f g h i j k\nadopt A\n"
        "begin B\ntaken all:B\nout all:B\nbegin C\ntaken all:C\nout all:C\nbegin D\ntaken all:D\n"
        "out all:D\nbegin E\ntaken all:E\nout all:E\nbegin F\ntaken all:F\nout all:F\nbegin G\n"
        "taken all:G\nout all:G\nbegin H\ntaken all:H\nout all:H\nbegin I\ntaken all:I\nout all:I\n"
        "begin J\ntaken all:J\nout all:J\nbusy K\n= phase Running\n",
        false},
};

/* What peers' strategies do with the same fleet, and we: docs/rollouts.md has the reasons. */
static const struct rollout_case rollout_peers[] = {
    {"OCM: maxFailures 5 of a group of 3 means 0; here it means 5",
        "rules {'maxFailures':5}\nfleet a b c\nadopt A\nbegin B\nrefused a b\nok c\n"
        "= phase Complete\n",
        false},
    {"OCM: a soaking cluster keeps its place; here the next one begins",
        "rules {'waves':[{'name':'w','clusters':{'selector':{}},'maxConcurrency':1,'soak':'1h'}]}\n"
        "fleet a b\nadopt A\nbegin B\nok all:B\n= count B 2\nok all\n= phase Soaking\n",
        false},
    {"OCM: progressDeadline None holds a place for ever; here there is always one",
        "rules {}\nfleet a\nadopt A\nbegin B\nwait 10m\n= phase Paused\n", false},
    {"OCM: a timed-out cluster cancels out one that is under way, and the next group starts",
        "rules {'maxFailures':1,'progressDeadline':'1m','waves':[{'name':'w','clusters':{'names':"
        "['a','b']}}]}\nfleet a b c\nadopt A\nbegin B\nwait 30s\nbad b\nwait 30s\n= a Failed\n"
        "= b Applied\n= A c\nok b\n= B a b c\n",
        false},
    {"OCM: mandatory groups tolerate none and hang; here a wave's own limit decides",
        "rules {'maxFailures':1,'waves':[" CANARY
        ",'maxFailures':0}]}\nfleet a b\nadopt A\nbegin B\n"
        "refused a\n= phase Paused\n= cond Healthy TooManyFailures\n",
        false},
    {"OCM: percentages up for failures: 1% of 3 allows one; here none",
        "rules {'maxFailures':'1%'}\nfleet a b c\nadopt A\nbegin B\nrefused a\n= phase Paused\n",
        false},
    {"OCM: on a breach what has started goes on, nothing new starts: the same",
        "rules {'waves':[{'name':'w','clusters':{'selector':{}},'maxConcurrency':2}]}\n"
        "fleet a b c d\nadopt A\nbegin B\n= count B 2\nrefused all:B\n= count B 2\n= phase "
        "Paused\n",
        false},
    {"Fleet: an offline cluster is unavailable, and stops all behind it; here it is deferred",
        "rules {'waves':[{'name':'w','clusters':{'selector':{}},'maxConcurrency':1}]}\nfleet a b "
        "c\n"
        "out a\nadopt A\nbegin B\nok all:B\nok all:B\nwait 10m\n= phase Complete\nin a\n= B a b "
        "c\n",
        false},
    {"Fleet: maxUnavailable 0 or less becomes something; here it is refused (rules), and a broken "
     "cluster counts once",
        "rules {'waves':[{'name':'w','clusters':{'selector':{}},'maxConcurrency':'50%'}]}\n"
        "fleet a b c d\nadopt A\nbegin B\nbad all:B\n= count B 2\n",
        false},
    {"Fleet: clusters of no partition are never staged; here they are the rest",
        "rules {'waves':[" CANARY "}]}\nfleet a z\nadopt A\nbegin B\nok a\n= B a z\n", false},
    {"Fleet: a partition over its limit lets the next start (maxUnavailablePartitions); never here",
        "rules {'maxFailures':9,'waves':[" CANARY
        ",'maxFailures':9}]}\nfleet a b\nadopt A\nbegin B\n"
        "refused a\nwait 24h\n= A b\n= cond NotEnoughClusters MinReported\n",
        false},
    {"hawkBit: a group's success threshold lets the next start while some are under way; here all "
     "that are in reach have ended",
        "rules {'minReported':1,'waves':[{'name':'w','clusters':{'names':['a','b']}}]}\n"
        "fleet a b c\nadopt A\nbegin B\nok a\n= A c\nok b\n= B a b c\n",
        false},
    {"hawkBit: an error threshold stops the rollout: maxFailures does, and says so",
        "rules {'maxFailures':1}\nfleet a b c\nadopt A\nbegin B\nrefused a b\n= phase Paused\n"
        "= group 2 ApplyFailed\n",
        false},
    {"hawkBit #693: devices that stay proceeding hang it; here the deadline ends them",
        "rules {'maxFailures':1}\nfleet a b\nadopt A\nbegin B\nok a\ntaken b\nwait 10m\n= b "
        "Failed\n"
        "= phase Complete\n",
        false},
    {"hawkBit: approval before the start: an approval behind an empty-handed canary",
        "rules {'waves':[" CANARY ",'approval':'Required'}]}\nfleet a b\nadopt A\nbegin B\nok a\n"
        "= phase AwaitingApproval\n= A b\nact approve\n= B a b\n",
        false},
};

#endif
