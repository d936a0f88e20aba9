// Calls every method of org.fwctl.Firewall with a Varlink library that others wrote, and checks what
// comes back against the types of the interface description.
//
//	varlink_go SOCKET INTERFACE-FILE
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/varlink/go/varlink"
	"github.com/varlink/go/varlink/idl"
)

const name = "org.fwctl.Firewall"

const policy = "version: 1\nrules:\n  - allow: 22/tcp\n  - deny: 3000/tcp\n"

type object = map[string]interface{}

// A call and what it is expected to answer: nil, or the name of an error.
type step struct {
	method     string
	parameters object
	err        string
}

var steps = []step{
	{"Status", nil, ""},
	{"Add", object{"rule": []string{"allow", "22/tcp"}}, ""},
	{"Add", object{"rule": []string{"deny", "3000/tcp"}, "position": 1}, ""},
	{"Add", object{"rule": []string{"allow", "80/tcp"}, "position": 0, "dryRun": true}, ""},
	{"Add", object{"rule": []string{"allow", "nonsense!"}}, "InvalidPolicy"},
	{"Enable", object{"dryRun": true}, ""},
	{"Enable", nil, ""},
	{"Status", nil, ""},
	{"SetDefault", object{"direction": "incoming", "verdict": "reject"}, ""},
	{"SetLogging", object{"level": "medium"}, ""},
	{"SetLogging", object{"level": "loud"}, "Refused"},
	{"Services", object{"name": "ssh"}, ""},
	{"Services", nil, ""},
	{"UpdateServices", nil, ""},
	{"Add", object{"rule": []string{"route", "limit", "in", "on", "eth0", "8080/tcp"}}, ""},
	{"Delete", object{"selection": []string{"allow", "22/tcp"}}, ""},
	{"Diff", object{"policy": policy}, ""},
	{"Diff", nil, ""},
	{"Apply", object{"policy": policy, "name": "mine.yaml", "dryRun": true}, ""},
	{"Apply", object{"policy": policy}, ""},
	{"Apply", object{"policy": "version: 2\n"}, "InvalidPolicy"},
	{"Reload", nil, ""},
	{"Show", object{"what": "policy"}, ""},
	{"Show", object{"what": "ruleset"}, ""},
	{"Ports", nil, ""},
	{"Services", object{}, ""},
	{"Services", object{"name": "ssh"}, ""},
	{"Services", object{"name": "sssh"}, "Refused"},
	{"UpdateServices", object{"dryRun": true}, ""},
	{"SetLogging", object{"level": "low", "dryRun": true}, ""},
	{"EditSet", object{"action": "add", "name": "blocked", "addresses": []string{"192.0.2.7", "::1"}}, ""},
	{"EditSet", object{"action": "remove", "name": "blocked"}, "Refused"},
	{"EditSet", object{"action": "add", "name": "blocked", "addresses": []string{"nonsense"}}, "InvalidPolicy"},
	{"Sets", object{}, ""},
	{"Sets", object{"name": "blocked"}, ""},
	{"Sets", object{"name": "blokced"}, "Refused"},
	{"Ban", object{"addresses": []string{"203.0.113.9", "198.18.0.0/15", "for", "1h", "comment", "go"}}, ""},
	{"Ban", object{"addresses": []string{"127.0.0.1"}}, "Refused"},
	{"Ban", object{"addresses": []string{"nobody"}}, "InvalidPolicy"},
	{"Bans", object{}, ""},
	{"Bans", object{"address": "203.0.113.9"}, ""},
	{"Bans", object{"address": "nobody"}, "Refused"},
	{"Unban", object{"addresses": []string{"198.18.0.0/15"}}, ""},
	{"Unban", object{"addresses": []string{"all"}}, ""},
	{"Log", object{"count": 5}, ""},
	{"Log", object{"count": -1}, "Refused"},
	{"Trace", object{"question": []string{"22/tcp"}}, "Refused"}, // without more
	{"EditSet", object{"action": "delete", "name": "blocked"}, ""},
	{"Explain", object{"question": []string{"3000/tcp", "from", "203.0.113.9"}}, ""},
	{"Explain", object{"question": []string{"icmp", "echo"}}, ""},
	{"Explain", object{"question": []string{"out", "esp", "on", "eth0"}}, ""},
	{"Explain", object{"question": []string{"sssh"}}, "InvalidQuestion"},
	{"SetLogging", object{"level": "high", "confirm": 3600}, ""},
	{"Status", nil, ""},
	{"SetLogging", object{"level": "off"}, "AwaitingConfirmation"},
	{"Confirm", nil, ""},
	{"Confirm", object{}, ""},
	{"SetLogging", object{"level": "off", "confirm": 0}, "Refused"},
	{"History", nil, ""},
	{"History", object{"generation": 2}, ""},
	{"History", object{"generation": 1000}, "UnknownGeneration"},
	{"Rollback", object{"dryRun": true}, ""},
	{"Rollback", object{"generation": 1000}, "UnknownGeneration"},
	{"Rollback", nil, ""},
	{"Rollback", object{"generation": 2, "confirm": 60}, ""},
	{"Rollback", object{}, ""},
	{"SetLogging", object{"level": "low", "allowLockout": true, "connections": []object{{"from": "192.0.2.7", "fromPort": 50000, "to": "192.0.2.1", "toPort": 22}, {"from": "here", "fromPort": 0, "to": "there", "toPort": 70000}}}, ""},
	{"Cut", object{}, ""},
	{"Cut", object{"question": []string{"22/tcp"}, "dryRun": true}, ""},
	{"Cut", object{"question": []string{"sssh"}}, "InvalidQuestion"},
	{"Panic", object{"on": true}, "WouldLockOut"},
	{"Panic", object{"on": true, "allowLockout": true}, ""},
	{"Status", nil, ""},
	{"Panic", object{"on": false}, ""},
	{"Reset", object{"dryRun": true}, ""},
	{"Reset", nil, ""},
	{"Disable", nil, ""},
}

type checker struct {
	types    map[string]*idl.Type // by name
	replies  map[string]*idl.Type // by method
	errors   map[string]*idl.Type
	problems []string
}

func newChecker(description *idl.IDL) *checker {
	c := &checker{map[string]*idl.Type{}, map[string]*idl.Type{}, map[string]*idl.Type{}, nil}
	for _, alias := range description.Aliases {
		c.types[alias.Name] = alias.Type
	}
	for _, method := range description.Methods {
		c.replies[method.Name] = method.Out
	}
	for _, failure := range description.Errors {
		c.errors[failure.Name] = failure.Type
	}
	return c
}

func (c *checker) complain(format string, arguments ...interface{}) {
	c.problems = append(c.problems, fmt.Sprintf(format, arguments...))
}

// check compares `value` with its type in the description.
func (c *checker) check(where string, value interface{}, kind *idl.Type) {
	if kind.Kind == idl.TypeMaybe {
		if value != nil {
			c.check(where, value, kind.ElementType)
		}
		return
	}
	good := true
	switch kind.Kind {
	case idl.TypeBool:
		_, good = value.(bool)
	case idl.TypeInt:
		number, isNumber := value.(json.Number)
		_, err := number.Int64()
		good = isNumber && err == nil
	case idl.TypeFloat:
		_, good = value.(json.Number)
	case idl.TypeString:
		_, good = value.(string)
	case idl.TypeEnum:
		text, isText := value.(string)
		good = false
		for _, field := range kind.Fields {
			good = good || isText && field.Name == text
		}
	case idl.TypeArray:
		var list []interface{}
		if list, good = value.([]interface{}); good {
			for index, element := range list {
				c.check(fmt.Sprintf("%s[%d]", where, index), element, kind.ElementType)
			}
		}
	case idl.TypeAlias:
		c.check(where, value, c.types[kind.Alias])
	case idl.TypeStruct:
		var fields object
		if fields, good = value.(object); good {
			c.fields(where, fields, kind)
		}
	}
	if !good {
		c.complain("%s: %v is not of its type", where, value)
	}
}

func (c *checker) fields(where string, fields object, kind *idl.Type) {
	known := map[string]bool{}
	for _, field := range kind.Fields {
		known[field.Name] = true
		value, there := fields[field.Name]
		if !there && field.Type.Kind != idl.TypeMaybe {
			c.complain("%s: %s is missing", where, field.Name)
		} else if there {
			c.check(where+"."+field.Name, value, field.Type)
		}
	}
	for field := range fields {
		if !known[field] {
			c.complain("%s: %s is not in the description", where, field)
		}
	}
}

func (c *checker) call(ctx context.Context, connection *varlink.Connection, s step) {
	var reply json.RawMessage
	var parameters interface{}
	if s.parameters != nil {
		parameters = s.parameters
	}
	err := connection.Call(ctx, name+"."+s.method, parameters, &reply)
	where := s.method
	kind := c.replies[s.method]
	if s.err != "" {
		var failure *varlink.Error
		if !errors.As(err, &failure) || failure.Name != name+"."+s.err {
			c.complain("%s: %v instead of %s", where, err, s.err)
			return
		}
		kind = c.errors[s.err]
		raw, isRaw := failure.Parameters.(*json.RawMessage)
		if !isRaw {
			c.complain("%s: error without parameters", where)
			return
		}
		reply = *raw
	} else if err != nil {
		encoded, _ := json.Marshal(err)
		c.complain("%s %v: %v %s", where, s.parameters, err, encoded)
		return
	}
	decoder := json.NewDecoder(strings.NewReader(string(reply)))
	decoder.UseNumber()
	var value object
	if err := decoder.Decode(&value); err != nil {
		c.complain("%s: %v", where, err)
		return
	}
	c.fields(where, value, kind)
}

func run(socket, file string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	connection, err := varlink.NewConnection(ctx, "unix:"+socket)
	if err != nil {
		return nil, err
	}
	defer connection.Close()

	expected, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	text, err := connection.GetInterfaceDescription(ctx, name)
	if err != nil {
		return nil, err
	}
	// Debian's library knows only lower case in the names of interfaces, unlike the specification.
	lower := strings.Replace(text, "interface "+name, "interface "+strings.ToLower(name), 1)
	description, err := idl.New(lower)
	if err != nil {
		return nil, err
	}
	c := newChecker(description)
	if text != string(expected) {
		c.complain("the description differs from %s", file)
	}
	var vendor, product, version, url string
	var interfaces []string
	if err := connection.GetInfo(ctx, &vendor, &product, &version, &url, &interfaces); err != nil {
		return nil, err
	}
	sort.Strings(interfaces)
	if strings.Join(interfaces, " ") != name+" org.varlink.service" {
		c.complain("interfaces: %v", interfaces)
	}

	called := map[string]bool{}
	for _, s := range steps {
		called[s.method] = true
		c.call(ctx, connection, s)
	}
	for method := range c.replies {
		if !called[method] {
			c.complain("%s was not called", method)
		}
	}
	fmt.Printf("%d calls of %d methods\n", len(steps), len(called))
	return c.problems, nil
}

func main() {
	problems, err := run(os.Args[1], os.Args[2])
	if err != nil {
		problems = append(problems, err.Error())
	}
	for _, problem := range problems {
		fmt.Fprintln(os.Stderr, problem)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}
