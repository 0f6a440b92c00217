// Command server is chaincode as a service: it listens, and the peer dials it. Its
// functions are Put, Get and Pid.
//
// It takes the variables of Fabric's samples: CHAINCODE_ID, CHAINCODE_SERVER_ADDRESS,
// and for TLS the files CHAINCODE_TLS_KEY and CHAINCODE_TLS_CERT; with
// CHAINCODE_CLIENT_CA_CERT it wants a certificate of the peer, too.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

type contract struct{}

func (contract) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

func (contract) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	name, args := stub.GetFunctionAndParameters()
	var payload []byte
	var err error
	switch {
	case name == "Put" && len(args) == 2:
		err = stub.PutState(args[0], []byte(args[1]))
	case name == "Get" && len(args) == 1:
		payload, err = stub.GetState(args[0])
	case name == "Pid" && len(args) == 0:
		payload, err = pid()
	default:
		err = fmt.Errorf("no function %q with %d arguments", name, len(args))
	}
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(payload)
}

// pid is what tells this process from all others, whatever namespace it is in: its ID, the namespace
// in which it has that ID, and when it began, in ticks since the machine did.
func pid() ([]byte, error) {
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return nil, err
	}
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return nil, err
	}
	// The second field is a name in parentheses, the 22nd when it began.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	return fmt.Appendf(nil, "%d %s %s", os.Getpid(), namespace, fields[19]), nil
}

// file is the content of the file that the variable names; none without it.
func file(variable string) []byte {
	path := os.Getenv(variable)
	if path == "" {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		fmt.Fprintf(os.Stderr, "server: %v\n", err)
		os.Exit(1)
	}
	return content
}

func main() {
	key := file("CHAINCODE_TLS_KEY")
	server := shim.ChaincodeServer{
		CCID:    os.Getenv("CHAINCODE_ID"),
		Address: os.Getenv("CHAINCODE_SERVER_ADDRESS"),
		CC:      contract{},
		TLSProps: shim.TLSProperties{
			Disabled:      key == nil,
			Key:           key,
			Cert:          file("CHAINCODE_TLS_CERT"),
			ClientCACerts: file("CHAINCODE_CLIENT_CA_CERT"),
		},
	}
	if err := server.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "server: %v\n", err)
		os.Exit(1)
	}
}
