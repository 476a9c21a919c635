// planner prints random questions to KubeFed's replica planner and its answers, one pair a line: the
// question, a tab, the answer, both as proto/schedule/preferences.h describes them.
//
//	planner SEED COUNT
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strconv"

	scheduling "sigs.k8s.io/kubefed/pkg/apis/scheduling/v1alpha1"
	"sigs.k8s.io/kubefed/pkg/controller/util/planner"
)

type preference struct {
	Min    int64  `json:"minReplicas,omitempty"`
	Max    *int64 `json:"maxReplicas,omitempty"`
	Weight int64  `json:"weight,omitempty"`
}

type question struct {
	Key         string                `json:"key"`
	Clusters    []string              `json:"clusters"`
	Total       int32                 `json:"totalReplicas"`
	Rebalance   bool                  `json:"rebalance"`
	Preferences map[string]preference `json:"preferences"`
	Current     map[string]int64      `json:"current"`
	Capacity    map[string]int64      `json:"capacity"`
}

type answer struct {
	Plan     map[string]int64 `json:"plan"`
	Overflow map[string]int64 `json:"overflow"`
}

// number is mostly small, so that edges meet, and now and then large.
func number(r *rand.Rand) int64 {
	switch r.Intn(8) {
	case 0:
		return 0
	case 1:
		return r.Int63n(4000000)
	default:
		return r.Int63n(20)
	}
}

func ask(r *rand.Rand) question {
	q := question{
		Key:         fmt.Sprintf("ns-%d/web-%d", r.Intn(100), r.Intn(100)),
		Clusters:    []string{},
		Total:       int32(r.Int63n(120)),
		Rebalance:   r.Intn(2) == 0,
		Preferences: map[string]preference{},
		Current:     map[string]int64{},
		Capacity:    map[string]int64{},
	}
	if r.Intn(4) == 0 {
		q.Total = r.Int31()
	}
	n := r.Intn(14)
	if r.Intn(50) == 0 {
		n = r.Intn(300)
	}
	for i := 0; i < n; i++ {
		q.Clusters = append(q.Clusters, fmt.Sprintf("cluster%d-%d", r.Intn(1000), i))
	}
	// An empty map means weight 1 for everybody only above the planner.
	names := append([]string{"absent", "*"}, q.Clusters...)
	for i, name := range names {
		if i > 0 && r.Intn(3) == 0 {
			continue
		}
		p := preference{Min: number(r), Weight: number(r)}
		if r.Intn(2) == 0 {
			p.Min = 0
		}
		if r.Intn(3) == 0 {
			max := number(r)
			p.Max = &max
		}
		q.Preferences[name] = p
		if r.Intn(2) == 0 {
			q.Current[name] = number(r)
		}
		if r.Intn(3) == 0 {
			q.Capacity[name] = number(r)
		}
	}
	return q
}

func plan(q question) (answer, error) {
	rsp := &scheduling.ReplicaSchedulingPreference{Spec: scheduling.ReplicaSchedulingPreferenceSpec{
		TotalReplicas: q.Total,
		Rebalance:     q.Rebalance,
		Clusters:      map[string]scheduling.ClusterPreferences{},
	}}
	for name, p := range q.Preferences {
		rsp.Spec.Clusters[name] = scheduling.ClusterPreferences{MinReplicas: p.Min, MaxReplicas: p.Max, Weight: p.Weight}
	}
	result, overflow, err := planner.NewPlanner(rsp).Plan(q.Clusters, q.Current, q.Capacity, q.Key)
	return answer{Plan: result, Overflow: overflow}, err
}

func main() {
	seed, count := int64(1), 1000
	if len(os.Args) == 3 {
		seed, _ = strconv.ParseInt(os.Args[1], 10, 64)
		count, _ = strconv.Atoi(os.Args[2])
	}
	r := rand.New(rand.NewSource(seed))
	out := bufio.NewWriter(os.Stdout)
	for i := 0; i < count; i++ {
		q := ask(r)
		a, err := plan(q)
		if err != nil {
			fmt.Fprintln(os.Stderr, "planner:", err)
			os.Exit(1)
		}
		asked, _ := json.Marshal(q)
		told, _ := json.Marshal(a)
		fmt.Fprintf(out, "%s\t%s\n", asked, told)
	}
	if out.Flush() != nil {
		os.Exit(1)
	}
}
