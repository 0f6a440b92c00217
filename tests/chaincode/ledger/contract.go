package main

import (
	"fmt"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

// stub is what one transaction may ask of the peer.
type stub = shim.ChaincodeStubInterface

// function is one callable function of the contract.
type function struct {
	// usage names the arguments, for the error that a wrong call gets.
	usage string
	// least and most bound the number of arguments; most < 0 is no bound.
	least, most int
	run         func(stub stub, args []string) ([]byte, error)
}

// functions holds everything that the contract answers to, by name.
var functions = map[string]function{
	"Put":    {"key value", 2, 2, put},
	"Get":    {"key", 1, 1, get},
	"Delete": {"key", 1, 1, del},
	"Range":  {"start end", 2, 2, rangeOf},
	"Add":    {"key n", 2, 2, add},
	"Copy":   {"from to", 2, 2, copyTo},

	"PutMany":    {"key value [key value]...", 2, -1, putMany},
	"GetMany":    {"key...", 1, -1, getMany},
	"DeleteMany": {"key...", 1, -1, deleteMany},
	"Digest":     {"start end nonce", 3, 3, digestOf},
	"LeaveOpen":  {"start end times", 3, 3, leaveOpen},

	"PutPrivate":    {"collection key [value]", 2, 3, putPrivate},
	"GetPrivate":    {"collection key", 2, 2, getPrivate},
	"DeletePrivate": {"collection key", 2, 2, deletePrivate},

	"Everything": {"step file", 2, 2, everything},

	"Echo":   {"bytes", 1, 1, echo},
	"Big":    {"size", 1, 1, big},
	"PutBig": {"key size", 2, 2, putBig},

	"Slow":    {"milliseconds key", 2, 2, slow},
	"SlowPut": {"milliseconds key value", 3, 3, slowPut},
	"Crash":   {"", 0, 0, crash},
	"Panic":   {"", 0, 0, panics},
	"Leave":   {"key", 1, 1, leave},
	"Recall":  {"", 0, 0, recall},

	"Event":       {"name payload", 2, 2, event},
	"CallOther":   {"chaincode channel function [argument]...", 3, -1, callOther},
	"CallInstead": {"chaincode call call", 3, 3, callInstead},

	"Log":   {"line", 1, 1, logLine},
	"Flood": {"lines width", 2, 2, flood},
	"Pid":   {"", 0, 0, pid},
	"Env":   {"name", 1, 1, env},
	"In":    {"zone", 1, 1, in},

	"Dial":   {"network address milliseconds", 3, 3, dial},
	"Listen": {"network address", 2, 2, listen},
	"LookUp": {"host [server]", 1, 2, lookUp},
	"File":   {"path", 1, 1, file},
	"Files":  {"pattern", 1, 1, files},
	"Write":  {"path", 1, 1, write},
}

// contract dispatches the transactions of the peer to functions.
type contract struct{}

// Init accepts any initialisation: the contract has no state to prepare.
func (contract) Init(stub) *peer.Response {
	return shim.Success(nil)
}

// Invoke runs the function that the first argument names.
func (contract) Invoke(stub stub) *peer.Response {
	name, args := stub.GetFunctionAndParameters()
	f, known := functions[name]
	if !known {
		return shim.Error(fmt.Sprintf("no function %q", name))
	}
	if len(args) < f.least || (f.most >= 0 && len(args) > f.most) {
		return shim.Error(fmt.Sprintf("%s takes the arguments %q, got %d of them", name, f.usage, len(args)))
	}
	payload, err := f.run(stub, args)
	if err != nil {
		return shim.Error(fmt.Sprintf("%s: %v", name, err))
	}
	return shim.Success(payload)
}
