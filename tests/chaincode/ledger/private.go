package main

// Private data, in the collections that collections.json defines.

import "fmt"

// transientValue is the transient field that PutPrivate takes its value from
// when the call has no such argument: transient data stays off the chain.
const transientValue = "value"

func putPrivate(stub stub, args []string) ([]byte, error) {
	if len(args) == 3 {
		return nil, stub.PutPrivateData(args[0], args[1], []byte(args[2]))
	}
	transient, err := stub.GetTransient()
	if err != nil {
		return nil, err
	}
	value, given := transient[transientValue]
	if !given {
		return nil, fmt.Errorf("neither a value argument nor a transient field %q", transientValue)
	}
	return nil, stub.PutPrivateData(args[0], args[1], value)
}

func getPrivate(stub stub, args []string) ([]byte, error) {
	value, err := stub.GetPrivateData(args[0], args[1])
	if err == nil && value == nil {
		err = fmt.Errorf("key %q has no value in collection %q", args[1], args[0])
	}
	return value, err
}

func deletePrivate(stub stub, args []string) ([]byte, error) {
	return nil, stub.DelPrivateData(args[0], args[1])
}
