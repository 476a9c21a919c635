/* api_beginning.c - what the store of api_fuzz.c holds before each input, as requests. */
#include "tests/fuzz/api_world.h"

#define POST(path, body) "POST " path "\ncontent-type: application/json\n\n" body
#define CORE "/api/v1/namespaces/default"
#define RBAC "/apis/rbac.authorization.k8s.io/v1/namespaces/default"

const char *const api_beginning[] = {
    POST("/api/v1/namespaces", "{'metadata':{'name':'other'}}"),
    POST(CORE "/serviceaccounts", "{'metadata':{'name':'bot'}}"),
    POST(CORE "/configmaps", "{'metadata':{'name':'a','labels':{'l':'1'}},'data':{'k':'1'}}"),
    POST(
        CORE "/configmaps", "{'metadata':{'name':'b','labels':{'l':'2'},'finalizers':['x.io/y']}}"),
    POST(CORE "/secrets",
        "{'metadata':{'name':'s'},'stringData':{'k':'canary-5bd1e995'},'type':'Opaque'}"),
    POST(RBAC "/roles",
        "{'metadata':{'name':'r'},'rules':[{'apiGroups':[''],'resources':['configmaps','"
        "serviceaccounts/"
        "token'],'verbs':['*']},{'apiGroups':[''],'resources':['serviceaccounts'],'resourceNames':["
        "'bot'],'verbs':['impersonate']},{'apiGroups':['rbac.authorization.k8s.io'],'resources':['"
        "roles'],'verbs':['create','update']}]}"),
    POST(RBAC "/rolebindings",
        "{'metadata':{'name':'r'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io','kind':'Role','"
        "name':'r'},'subjects':[{'kind':'User','apiGroup':'rbac.authorization.k8s.io','name':'ann'}"
        ",{'kind':'ServiceAccount','name':'bot','namespace':'default'}]}"),
    POST("/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "{'apiVersion':'apiextensions.k8s.io/"
        "v1','kind':'CustomResourceDefinition','metadata':{'name':'gadgets.example.com'},'spec':{'"
        "group':'example.com','scope':'Namespaced','names':{'plural':'gadgets','kind':'Gadget'},'"
        "versions':[{'name':'v1','served':true,'storage':true,'subresources':{'status':{},'scale':{"
        "'specReplicasPath':'.spec.replicas','statusReplicasPath':'.status.replicas'}},'"
        "selectableFields':[{'jsonPath':'.spec.colour'}],'additionalPrinterColumns':[{'name':'"
        "Colour','type':'string','jsonPath':'.spec.colour'}],'schema':{'openAPIV3Schema':{'type':'"
        "object','properties':{'spec':{'type':'object','required':['replicas'],'properties':{'"
        "replicas':{'type':'integer','minimum':0,'default':1},'colour':{'type':'string','enum':['"
        "red','blue']},'parts':{'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-"
        "map-keys':['name'],'items':{'type':'object','required':['name'],'properties':{'name':{'"
        "type':'string'},'port':{'x-kubernetes-int-or-string':true}}}},'tags':{'type':'array','x-"
        "kubernetes-list-type':'set','items':{'type':'string'}}}},'status':{'type':'object','x-"
        "kubernetes-preserve-unknown-fields':true}}}}}]}}"),
    POST("/apis/example.com/v1/namespaces/default/gadgets",
        "{'apiVersion':'example.com/"
        "v1','kind':'Gadget','metadata':{'name':'g'},'spec':{'replicas':2,'colour':'red','parts':[{"
        "'name':'p','port':80}],'tags':['t']}}"),
    POST("/apis/types.kubefed.io/v1beta1/namespaces/default/federatedconfigmaps",
        "{'apiVersion':'types.kubefed.io/"
        "v1beta1','kind':'FederatedConfigMap','metadata':{'name':'f'},'spec':{'placement':{'"
        "clusters':[{'name':'c'}]},'template':{'data':{'k':'1'}}}}"),
    NULL,
};
