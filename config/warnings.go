package config

import (
	"fmt"
	"reflect"
	"strings"

	"ringdown/secret"
)

// Warnings are what a configuration that is right should be looked at for, one a
// line, each with its key.
func (c Config) Warnings() []string {
	var all []string
	if t := c.Connectors.Thirdparty; t != nil {
		for _, w := range t.Warnings() {
			all = append(all, "connectors.thirdparty."+w)
		}
	}
	if s := c.Connectors.SMS; s != nil {
		for _, w := range s.Warnings() {
			all = append(all, "connectors.sms."+w)
		}
	}
	for i, q := range c.Queues {
		if len(q.Desks) == 0 {
			all = append(all, fmt.Sprintf("queues[%d].desks: nobody is rung; name a desk", i))
		}
	}
	return append(all, examples("", reflect.ValueOf(c))...)
}

// examples are the keys whose secret is still that of the manual.
func examples(at string, v reflect.Value) (all []string) {
	switch v.Kind() { //nolint:exhaustive // the others hold no secret
	case reflect.Pointer:
		if !v.IsNil() {
			return examples(at, v.Elem())
		}
	case reflect.Struct:
		for field, value := range v.Fields() {
			if !field.IsExported() {
				continue
			}
			name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			where := strings.TrimPrefix(at+"."+name, ".")
			if name == "" {
				where = at // inlined
			}
			if name != "-" {
				all = append(all, examples(where, value)...)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, examples(fmt.Sprintf("%s[%d]", at, i), v.Index(i))...)
		}
	case reflect.String:
		if s, ok := reflect.TypeAssert[secret.Secret](v); ok && strings.Contains(s.Reveal(), "change-me") {
			return []string{at + ": is the example's; make one of your own"}
		}
	}
	return all
}
