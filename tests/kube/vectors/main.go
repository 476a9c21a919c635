// Command vectors prints objects of every core kind as typed clients send them: one JSON document a
// line with the protobuf body and what Go's JSON encoder makes of the same object. The hub's unit
// tests decode the one and compare with the other.
//
//	cd tests/kube && go run ./vectors >../unit/hub_core_vectors.jsonl
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
)

const deepest = 9 // a CustomResourceDefinition's schema has no end of its own

var objects = []struct {
	apiVersion, kind string
	object           runtime.Object
}{
	{"v1", "ConfigMap", &corev1.ConfigMap{}},
	{"v1", "Event", &corev1.Event{}},
	{"v1", "Namespace", &corev1.Namespace{}},
	{"v1", "Secret", &corev1.Secret{}},
	{"v1", "ServiceAccount", &corev1.ServiceAccount{}},
	{"coordination.k8s.io/v1", "Lease", &coordinationv1.Lease{}},
	{"events.k8s.io/v1", "Event", &eventsv1.Event{}},
	{"rbac.authorization.k8s.io/v1", "ClusterRole", &rbacv1.ClusterRole{}},
	{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding", &rbacv1.ClusterRoleBinding{}},
	{"rbac.authorization.k8s.io/v1", "Role", &rbacv1.Role{}},
	{"rbac.authorization.k8s.io/v1", "RoleBinding", &rbacv1.RoleBinding{}},
	{"authentication.k8s.io/v1", "SelfSubjectReview", &authenticationv1.SelfSubjectReview{}},
	{"authentication.k8s.io/v1", "TokenRequest", &authenticationv1.TokenRequest{}},
	{"authentication.k8s.io/v1", "TokenReview", &authenticationv1.TokenReview{}},
	{"authorization.k8s.io/v1", "LocalSubjectAccessReview", &authorizationv1.LocalSubjectAccessReview{}},
	{"authorization.k8s.io/v1", "SelfSubjectAccessReview", &authorizationv1.SelfSubjectAccessReview{}},
	{"authorization.k8s.io/v1", "SelfSubjectRulesReview", &authorizationv1.SelfSubjectRulesReview{}},
	{"authorization.k8s.io/v1", "SubjectAccessReview", &authorizationv1.SubjectAccessReview{}},
	{"autoscaling/v1", "Scale", &autoscalingv1.Scale{}},
	{"apiextensions.k8s.io/v1", "CustomResourceDefinition", &apiextensionsv1.CustomResourceDefinition{}},
	{"v1", "DeleteOptions", &metav1.DeleteOptions{}},
}

// filler sets every field that can be set, to values that differ.
type filler struct{ n int64 }

func (f *filler) next() int64 { f.n++; return f.n }

// special sets what has a form of its own; of a choice it sets one member.
func (f *filler) special(v reflect.Value, depth int) bool {
	at := time.Unix(1767323045+f.n, 0).UTC()
	switch p := v.Addr().Interface().(type) {
	case *metav1.TypeMeta:
	case *metav1.Time:
		*p = metav1.NewTime(at)
	case *metav1.MicroTime:
		*p = metav1.NewMicroTime(at.Add(time.Duration(f.next()) * time.Microsecond))
	case *metav1.FieldsV1:
		p.Raw = []byte(`{"f:data":{".":{},"f:k":{}}}`)
	case *apiextensionsv1.JSON:
		p.Raw = []byte(fmt.Sprintf(`{"default":[%d,null,"x"]}`, f.next()))
	case *apiextensionsv1.JSONSchemaPropsOrBool:
		if p.Allows = true; depth < deepest-3 {
			p.Schema = &apiextensionsv1.JSONSchemaProps{Type: "string"}
		}
	case *apiextensionsv1.JSONSchemaPropsOrArray:
		if f.next()%2 == 0 {
			p.JSONSchemas = []apiextensionsv1.JSONSchemaProps{{Type: "a"}, {Type: "b"}}
		} else {
			p.Schema = &apiextensionsv1.JSONSchemaProps{Type: "c"}
		}
	case *apiextensionsv1.JSONSchemaPropsOrStringArray:
		p.Property = []string{"d", "e"}
	default:
		return false
	}
	return true
}

func (f *filler) fill(v reflect.Value, depth int) {
	if depth > deepest || v.CanAddr() && f.special(v, depth) {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text \"%d\" é", f.next()))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32:
		v.SetInt(-f.next())
	case reflect.Int64:
		v.SetInt(f.next() << 40)
	case reflect.Float64:
		v.SetFloat(float64(f.next()) / 8)
	case reflect.Uint8:
		v.SetUint(uint64(f.next()) % 256)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(v.Index(0), depth+1)
		f.fill(v.Index(1), depth+1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := 0; i < 2; i++ {
			value := reflect.New(v.Type().Elem()).Elem()
			f.fill(value, depth+1)
			v.SetMapIndex(reflect.ValueOf(fmt.Sprintf("key%d", f.next())).Convert(v.Type().Key()), value)
		}
	case reflect.Struct:
		for i := 0; i < v.NumField(); i++ {
			f.fill(v.Field(i), depth+1)
		}
	}
}

func show(apiVersion, kind string, object runtime.Object) error {
	gvk := metav1.TypeMeta{APIVersion: apiVersion, Kind: kind}
	reflect.ValueOf(object).Elem().FieldByName("TypeMeta").Set(reflect.ValueOf(gvk))
	var body bytes.Buffer
	if err := protobuf.NewSerializer(nil, nil).Encode(object, &body); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(struct {
		Protobuf []byte         `json:"protobuf"`
		Object   runtime.Object `json:"object"`
	}{body.Bytes(), object})
}

func main() {
	f := &filler{}
	for _, o := range objects {
		if err := show(o.apiVersion, o.kind, o.object.DeepCopyObject()); err != nil {
			panic(err)
		}
		f.fill(reflect.ValueOf(o.object).Elem(), 0)
		if err := show(o.apiVersion, o.kind, o.object); err != nil {
			panic(err)
		}
	}
}
