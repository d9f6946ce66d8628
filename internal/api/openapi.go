package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// object is a JSON object of the description, see
// https://spec.openapis.org/oas/v3.1.0.
type object map[string]any

// describe writes the OpenAPI description.
func describe(operations []operation, version string) ([]byte, error) {
	shared := components{}
	failure, err := shared.schema(reflect.TypeFor[problem]())
	if err != nil {
		return nil, err
	}
	paths := map[string]object{}
	for _, o := range operations {
		described, err := o.describe(shared)
		if err != nil {
			return nil, err
		}
		path := prefix + o.Path
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path][lower(o.Method)] = described
	}
	return json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "banger", "version": version,
			"description": "Development sandboxes in microVMs. What is in /v1 stays as it is; fields may come to be beside others.",
		},
		"servers": []object{{"url": "http://localhost"}},
		"paths":   paths,
		"components": object{
			"schemas":         shared,
			"responses":       object{"Problem": object{"description": "It failed.", "content": object{problemType: object{"schema": failure}}}},
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}},
		},
		"security": []object{{}, {"token": []string{}}},
	}, "", "  ")
}

func lower(method string) string {
	return map[string]string{http.MethodGet: "get", http.MethodPost: "post", http.MethodPut: "put", http.MethodPatch: "patch", http.MethodDelete: "delete"}[method]
}

// components are the schemas that have a name: those of Go's structs.
type components map[string]*jsonschema.Schema

// schema returns a type's schema, or a reference to it.
func (c components) schema(t reflect.Type) (object, error) {
	if _, named := namedSchemas[t]; t.Kind() == reflect.Slice && !named {
		items, err := c.schema(t.Elem())
		return object{"type": "array", "items": items}, err
	}
	name := t.Name()
	schema, err := schemaOf(t)
	if err != nil || name == "" || t.PkgPath() == "" {
		return object{"allOf": []*jsonschema.Schema{schema}}, err
	}
	name = strings.ToUpper(name[:1]) + name[1:]
	c[name] = schema
	return object{"$ref": "#/components/schemas/" + name}, nil
}

// eventSchema is what one server-sent event is.
var eventSchema = object{
	"type": "object", "required": []string{"event", "data"},
	"properties": object{"event": object{"type": "string"}, "data": object{"type": "string", "description": "JSON"}},
}

func (o operation) describe(shared components) (object, error) {
	response := object{"description": "It is done."}
	switch {
	case o.Stream == eventStream:
		response["content"] = object{eventStream: object{"schema": eventSchema}}
	case o.Stream != "":
		response["content"] = object{o.Stream: object{"schema": object{"type": "string"}}}
	case o.Out != nil:
		schema, err := shared.schema(o.Out)
		if err != nil {
			return nil, err
		}
		content := object{"application/json": object{"schema": schema}}
		if o.tell != nil {
			content[eventStream] = object{"schema": eventSchema}
		}
		response["content"] = content
	}
	described := object{
		"operationId": o.ID, "summary": o.Summary,
		"responses": object{strconv.Itoa(o.Status): response, "default": object{"$ref": "#/components/responses/Problem"}},
	}
	if parameters := o.parameters(); len(parameters) > 0 {
		described["parameters"] = parameters
	}
	if field, has := o.In.FieldByName("Body"); has {
		content := object{"application/octet-stream": object{"schema": object{"type": "string", "format": "binary"}}}
		if !o.Binary {
			schema, err := shared.schema(field.Type)
			if err != nil {
				return nil, err
			}
			content = object{"application/json": object{"schema": schema}}
		}
		described["requestBody"] = object{"required": true, "content": content}
	}
	return described, nil
}

func (o operation) parameters() (all []object) {
	for i := range o.In.NumField() {
		field := o.In.Field(i)
		for _, in := range []string{"path", "query", "header"} {
			name := field.Tag.Get(in)
			if name == "" {
				continue
			}
			all = append(all, object{
				"name": name, "in": in, "required": in == "path", "description": field.Tag.Get("doc"), "schema": parameterSchema(in, valueType(field.Type)),
			})
		}
	}
	return all
}

func parameterSchema(in string, t reflect.Type) any {
	if schema, has := namedSchemas[t]; has {
		return schema
	}
	switch {
	case in == "path":
		return namedSchemas[reflect.TypeFor[name]()]
	case t.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case t.Kind() == reflect.Int:
		return object{"type": "integer", "format": "int32"}
	case t.Kind() == reflect.Slice:
		return object{"type": "array", "items": object{"type": "string"}}
	}
	return object{"type": "string"}
}
