/* proto_schedule_vectors.h - what KubeFed's planner answers: questions and answers as
 * proto/schedule/preferences.h writes them, with ' for ".
 *
 * From KubeFed v0.10.0 pkg/controller/util/planner/planner_test.go (key ""), its user guide (key
 * "test-ns/test-deployment"), and from what a running KubeFed wrote ("observed"). */
#ifndef FEDLET_TESTS_UNIT_PROTO_SCHEDULE_VECTORS_H
#define FEDLET_TESTS_UNIT_PROTO_SCHEDULE_VECTORS_H

static const struct vector {
    const char *name;
    const char *question;
    const char *answer;
} vectors[] = {
    {"equal of three",
        "{'clusters':['A','B','C'],'totalReplicas':50,'preferences':{'*':{'weight':1}}}",
        "{'plan':{'A':16,'B':17,'C':17},'overflow':{}}"},
    {"equal of two", "{'clusters':['A','B'],'totalReplicas':50,'preferences':{'*':{'weight':1}}}",
        "{'plan':{'A':25,'B':25},'overflow':{}}"},
    {"one of two", "{'clusters':['A','B'],'totalReplicas':1,'preferences':{'*':{'weight':1}}}",
        "{'plan':{'A':0,'B':1},'overflow':{}}"},
    {"one of four",
        "{'clusters':['A','B','C','D'],'totalReplicas':1,'preferences':{'*':{'weight':1}}}",
        "{'plan':{'A':0,'B':0,'C':0,'D':1},'overflow':{}}"},
    {"one of one", "{'clusters':['A'],'totalReplicas':1,'preferences':{'*':{'weight':1}}}",
        "{'plan':{'A':1},'overflow':{}}"},
    {"no cluster", "{'clusters':[],'totalReplicas':1,'preferences':{'*':{'weight':1}}}",
        "{'plan':{},'overflow':{}}"},
    {"with existing",
        "{'clusters':['A','B','C'],'totalReplicas':50,'preferences':{'*':{'weight':1}},'current':{'"
        "C':30}}",
        "{'plan':{'A':10,'B':10,'C':30},'overflow':{}}"},
    {"with existing",
        "{'clusters':['A','B'],'totalReplicas':50,'preferences':{'*':{'weight':1}},'current':{'A':"
        "30}}",
        "{'plan':{'A':30,'B':20},'overflow':{}}"},
    {"with existing",
        "{'clusters':['A','B'],'totalReplicas':15,'preferences':{'*':{'weight':1}},'current':{'A':"
        "0,'B':8}}",
        "{'plan':{'A':7,'B':8},'overflow':{}}"},
    {"with existing",
        "{'clusters':['A','B'],'totalReplicas':15,'preferences':{'*':{'weight':1}},'current':{'A':"
        "1,'B':8}}",
        "{'plan':{'A':7,'B':8},'overflow':{}}"},
    {"with existing",
        "{'clusters':['A','B'],'totalReplicas':15,'preferences':{'*':{'weight':1}},'current':{'A':"
        "4,'B':8}}",
        "{'plan':{'A':7,'B':8},'overflow':{}}"},
    {"with existing",
        "{'clusters':['A','B'],'totalReplicas':15,'preferences':{'*':{'weight':1}},'current':{'A':"
        "5,'B':8}}",
        "{'plan':{'A':7,'B':8},'overflow':{}}"},
    {"with existing",
        "{'clusters':['A','B'],'totalReplicas':15,'preferences':{'*':{'weight':1}},'current':{'A':"
        "6,'B':8}}",
        "{'plan':{'A':7,'B':8},'overflow':{}}"},
    {"with existing",
        "{'clusters':['A','B'],'totalReplicas':15,'preferences':{'*':{'weight':1}},'current':{'A':"
        "7,'B':8}}",
        "{'plan':{'A':7,'B':8},'overflow':{}}"},
    {"with existing",
        "{'clusters':['A','B'],'totalReplicas':500000,'preferences':{'*':{'weight':1}},'current':{'"
        "A':300000}}",
        "{'plan':{'A':300000,'B':200000},'overflow':{}}"},
    {"with existing",
        "{'clusters':['A','B'],'totalReplicas':50,'preferences':{'*':{'weight':1}},'current':{'A':"
        "10}}",
        "{'plan':{'A':25,'B':25},'overflow':{}}"},
    {"with existing",
        "{'clusters':['A','B'],'totalReplicas':50,'preferences':{'*':{'weight':1}},'current':{'A':"
        "10,'B':70}}",
        "{'plan':{'A':0,'B':50},'overflow':{}}"},
    {"with existing",
        "{'clusters':['A','B'],'totalReplicas':1,'preferences':{'*':{'weight':1}},'current':{'A':"
        "30}}",
        "{'plan':{'A':1,'B':0},'overflow':{}}"},
    {"with existing",
        "{'clusters':['A','B'],'totalReplicas':50,'preferences':{'*':{'weight':1}},'current':{'A':"
        "10,'B':20}}",
        "{'plan':{'A':25,'B':25},'overflow':{}}"},
    {"capacity",
        "{'clusters':['A','B','C'],'totalReplicas':50,'rebalance':true,'preferences':{'*':{'weight'"
        ":1}},'capacity':{'C':10}}",
        "{'plan':{'A':20,'B':20,'C':10},'overflow':{'C':7}}"},
    {"capacity",
        "{'clusters':['B','C'],'totalReplicas':50,'rebalance':true,'preferences':{'A':{'weight':"
        "10000},'B':{'weight':1}},'capacity':{'B':10}}",
        "{'plan':{'B':10,'C':0},'overflow':{'B':40}}"},
    {"capacity",
        "{'clusters':['A','B','C'],'totalReplicas':60,'rebalance':true,'preferences':{'A':{'weight'"
        ":1},'B':{'weight':2}},'capacity':{'B':10}}",
        "{'plan':{'A':50,'B':10,'C':0},'overflow':{'B':30}}"},
    {"capacity",
        "{'clusters':['A','B','C','D'],'totalReplicas':71,'rebalance':true,'preferences':{'A':{'"
        "weight':10000,'maxReplicas':10},'B':{'weight':1},'C':{'weight':1,'maxReplicas':21},'D':{'"
        "weight':1,'maxReplicas':10}},'capacity':{'C':10}}",
        "{'plan':{'A':10,'B':41,'C':10,'D':10},'overflow':{'C':11}}"},
    {"capacity",
        "{'clusters':['A','B','C'],'totalReplicas':60,'preferences':{'A':{'weight':1},'B':{'weight'"
        ":1}},'capacity':{'A':10,'B':10}}",
        "{'plan':{'A':10,'B':10,'C':0},'overflow':{'A':20,'B':20}}"},
    {"capacity",
        "{'clusters':['A','B','C'],'totalReplicas':60,'preferences':{'A':{'weight':1},'B':{'weight'"
        ":5}},'capacity':{'B':10}}",
        "{'plan':{'A':50,'B':10,'C':0},'overflow':{}}"},
    {"capacity",
        "{'clusters':['A','B','C'],'totalReplicas':50,'preferences':{'*':{'minReplicas':20,'weight'"
        ":0}},'capacity':{'B':10}}",
        "{'plan':{'A':20,'B':10,'C':20},'overflow':{}}"},
    {"capacity",
        "{'clusters':['A','B'],'totalReplicas':60,'rebalance':true,'preferences':{'*':{'"
        "minReplicas':20,'weight':1}},'capacity':{'B':10}}",
        "{'plan':{'A':50,'B':10},'overflow':{'B':15}}"},
    {"minimum",
        "{'clusters':['A','B','C'],'totalReplicas':50,'preferences':{'*':{'minReplicas':2,'weight':"
        "0}}}",
        "{'plan':{'A':2,'B':2,'C':2},'overflow':{}}"},
    {"minimum",
        "{'clusters':['A','B','C'],'totalReplicas':50,'preferences':{'*':{'minReplicas':20,'weight'"
        ":0}}}",
        "{'plan':{'A':10,'B':20,'C':20},'overflow':{}}"},
    {"minimum",
        "{'clusters':['A','B','C'],'totalReplicas':50,'preferences':{'*':{'minReplicas':20,'weight'"
        ":0},'A':{'minReplicas':100,'weight':1}}}",
        "{'plan':{'A':50,'B':0,'C':0},'overflow':{}}"},
    {"minimum",
        "{'clusters':['A','B','C'],'totalReplicas':50,'preferences':{'*':{'minReplicas':10,'weight'"
        ":1,'maxReplicas':12}}}",
        "{'plan':{'A':12,'B':12,'C':12},'overflow':{}}"},
    {"maximum",
        "{'clusters':['A','B','C'],'totalReplicas':50,'preferences':{'*':{'weight':1,'maxReplicas':"
        "2}}}",
        "{'plan':{'A':2,'B':2,'C':2},'overflow':{}}"},
    {"maximum",
        "{'clusters':['A','B','C'],'totalReplicas':50,'preferences':{'*':{'weight':0,'maxReplicas':"
        "2}}}",
        "{'plan':{'A':0,'B':0,'C':0},'overflow':{}}"},
    {"weight",
        "{'clusters':['A','B','C'],'totalReplicas':60,'preferences':{'A':{'weight':1},'B':{'weight'"
        ":2}}}",
        "{'plan':{'A':20,'B':40,'C':0},'overflow':{}}"},
    {"weight",
        "{'clusters':['A','B','C'],'totalReplicas':50,'preferences':{'A':{'weight':10000},'B':{'"
        "weight':1}}}",
        "{'plan':{'A':50,'B':0,'C':0},'overflow':{}}"},
    {"weight",
        "{'clusters':['B','C'],'totalReplicas':50,'preferences':{'A':{'weight':10000},'B':{'weight'"
        ":1}}}",
        "{'plan':{'B':50,'C':0},'overflow':{}}"},
    {"weight",
        "{'clusters':['A','B','C'],'totalReplicas':50,'preferences':{'A':{'weight':10000,'"
        "maxReplicas':10},'B':{'weight':1},'C':{'weight':1}}}",
        "{'plan':{'A':10,'B':20,'C':20},'overflow':{}}"},
    {"weight",
        "{'clusters':['A','B','C'],'totalReplicas':50,'preferences':{'A':{'weight':10000,'"
        "maxReplicas':10},'B':{'weight':1},'C':{'weight':1,'maxReplicas':10}}}",
        "{'plan':{'A':10,'B':30,'C':10},'overflow':{}}"},
    {"weight",
        "{'clusters':['A','B','C','D'],'totalReplicas':71,'preferences':{'A':{'weight':10000,'"
        "maxReplicas':10},'B':{'weight':1},'C':{'weight':1,'maxReplicas':21},'D':{'weight':1,'"
        "maxReplicas':10}}}",
        "{'plan':{'A':10,'B':30,'C':21,'D':10},'overflow':{}}"},
    {"weight",
        "{'clusters':['A','B','C','D','E'],'totalReplicas':91,'preferences':{'A':{'weight':10000,'"
        "maxReplicas':10},'B':{'weight':1},'C':{'weight':1,'maxReplicas':21},'D':{'weight':1,'"
        "maxReplicas':10},'E':{'weight':1}}}",
        "{'plan':{'A':10,'B':25,'C':21,'D':10,'E':25},'overflow':{}}"},
    {"user guide: evenly",
        "{'key':'test-ns/"
        "test-deployment','clusters':['A','B','C'],'totalReplicas':9,'preferences':{}}",
        "{'plan':{'A':3,'B':3,'C':3},'overflow':{}}"},
    {"user guide: by weight",
        "{'key':'test-ns/"
        "test-deployment','clusters':['A','B','C'],'totalReplicas':9,'preferences':{'A':{'weight':"
        "1},'B':{'weight':2}}}",
        "{'plan':{'A':3,'B':6,'C':0},'overflow':{}}"},
    {"user guide: minimum and maximum",
        "{'key':'test-ns/"
        "test-deployment','clusters':['A','B','C'],'totalReplicas':9,'preferences':{'A':{'"
        "minReplicas':4,'maxReplicas':6,'weight':1},'B':{'minReplicas':4,'maxReplicas':8,'weight':"
        "2}}}",
        "{'plan':{'A':4,'B':5,'C':0},'overflow':{}}"},
    {"user guide: the last example",
        "{'key':'test-ns/"
        "test-deployment','clusters':['A','B','C'],'totalReplicas':50,'preferences':{'*':{'weight':"
        "1},'C':{'weight':1,'maxReplicas':20}}}",
        "{'plan':{'A':17,'B':17,'C':16},'overflow':{}}"},
    {"user guide: without B",
        "{'key':'test-ns/"
        "test-deployment','clusters':['A','C'],'totalReplicas':50,'preferences':{'*':{'weight':1},'"
        "C':{'weight':1,'maxReplicas':20}}}",
        "{'plan':{'A':30,'C':20},'overflow':{}}"},
    {"user guide: only C",
        "{'key':'test-ns/"
        "test-deployment','clusters':['C'],'totalReplicas':50,'preferences':{'*':{'weight':1},'C':{"
        "'weight':1,'maxReplicas':20}}}",
        "{'plan':{'C':20},'overflow':{}}"},
    {"observed: total only",
        "{'key':'rsp/r1','clusters':['cluster1','cluster2'],'totalReplicas':9,'preferences':{}}",
        "{'plan':{'cluster1':5,'cluster2':4},'overflow':{}}"},
    {"observed: fewer",
        "{'key':'rsp/"
        "r1','clusters':['cluster1','cluster2'],'totalReplicas':3,'preferences':{},'current':{'"
        "cluster1':0,'cluster2':0}}",
        "{'plan':{'cluster1':2,'cluster2':1},'overflow':{}}"},
    {"observed: 2 to 3",
        "{'key':'rsp/"
        "r2','clusters':['cluster1','cluster2'],'totalReplicas':10,'rebalance':true,'preferences':{"
        "'cluster1':{'weight':2},'cluster2':{'weight':3}}}",
        "{'plan':{'cluster1':4,'cluster2':6},'overflow':{}}"},
    {"observed: minimum and maximum",
        "{'key':'rsp/"
        "r3','clusters':['cluster1','cluster2'],'totalReplicas':9,'preferences':{'cluster1':{'"
        "minReplicas':4,'maxReplicas':6,'weight':1},'cluster2':{'minReplicas':4,'maxReplicas':8,'"
        "weight':2}}}",
        "{'plan':{'cluster1':4,'cluster2':5},'overflow':{}}"},
    {"observed: unplaced rest",
        "{'key':'rsp/"
        "r4','clusters':['cluster1','cluster2'],'totalReplicas':50,'preferences':{'cluster1':{'"
        "maxReplicas':20,'weight':1}}}",
        "{'plan':{'cluster1':20,'cluster2':0},'overflow':{}}"},
    {"observed: others",
        "{'key':'rsp/"
        "r5','clusters':['cluster1','cluster2'],'totalReplicas':7,'preferences':{'*':{'weight':1}}"
        "}",
        "{'plan':{'cluster1':4,'cluster2':3},'overflow':{}}"},
    {"observed: four",
        "{'key':'rsp/r6','clusters':['cluster1','cluster2'],'totalReplicas':4,'preferences':{}}",
        "{'plan':{'cluster1':2,'cluster2':2},'overflow':{}}"},
};

#endif
