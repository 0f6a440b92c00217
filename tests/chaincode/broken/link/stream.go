package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
)

// maxMessage is the peer's own limit for a message, in bytes.
const maxMessage = 100 << 20

// prefixSize is the size of what precedes a gRPC message: a flag that says
// whether it is compressed, and its length in four bytes, big-endian
// (gRPC over HTTP/2, "Length-Prefixed-Message").
const prefixSize = 5

// Stream is the Register stream as gRPC puts it on the wire: one HTTP/2 request
// whose body goes to the peer while the answer's body comes from it. Working
// on the bodies, and not on a gRPC library, is what makes half a frame
// possible.
type Stream struct {
	toPeer   *io.PipeWriter
	fromPeer io.Reader
}

// Dial starts another stream, on a connection of its own, and says nothing on it:
// what goes to the peer is up to the caller, what comes from it is not read.
func Dial() (*Stream, error) {
	c, err := loadConfig()
	if err != nil {
		return nil, err
	}
	request, toPeer, err := newRequest(c)
	if err != nil {
		return nil, err
	}
	go func() {
		// Without it, nobody takes what is sent any more.
		if _, err := transport(c).RoundTrip(request); err != nil {
			toPeer.CloseWithError(err)
		}
	}()
	return &Stream{toPeer: toPeer}, nil
}

// newRequest is the stream's request, and what its body is written to.
func newRequest(c config) (*http.Request, *io.PipeWriter, error) {
	body, toPeer := io.Pipe()
	request, err := http.NewRequest(http.MethodPost, url(c), body)
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("TE", "trailers")
	return request, toPeer, nil
}

// open starts the stream. A gRPC server answers no sooner than it has a first
// message to send, so first must be one that it answers.
func open(c config, first *peer.ChaincodeMessage) (*Stream, error) {
	request, toPeer, err := newRequest(c)
	if err != nil {
		return nil, err
	}
	stream := &Stream{toPeer: toPeer}
	sent := make(chan error, 1)
	go func() { sent <- stream.Send(first) }()
	response, err := transport(c).RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if err := <-sent; err != nil {
		return nil, err
	}
	stream.fromPeer = withStatus{response}
	return stream, nil
}

func url(c config) string {
	scheme := "https"
	if c.tls == nil {
		scheme = "http"
	}
	return scheme + "://" + c.address + "/protos.ChaincodeSupport/Register"
}

func transport(c config) *http.Transport {
	var http2 http.Protocols
	http2.SetHTTP2(c.tls != nil)
	http2.SetUnencryptedHTTP2(c.tls == nil)
	return &http.Transport{TLSClientConfig: c.tls, Protocols: &http2, DisableCompression: true}
}

// withStatus reads an answer's body and puts the gRPC status from its headers
// or trailers in the place of the end of file.
type withStatus struct{ response *http.Response }

func (w withStatus) Read(p []byte) (int, error) {
	n, err := w.response.Body.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	for _, header := range []http.Header{w.response.Trailer, w.response.Header} {
		if code := header.Get("Grpc-Status"); code != "" && code != "0" {
			return n, fmt.Errorf("the peer ended the stream with gRPC status %s: %s", code, header.Get("Grpc-Message"))
		}
	}
	return n, err
}

// Send sends one message.
func (s *Stream) Send(message *peer.ChaincodeMessage) error {
	bytes, err := proto.Marshal(message)
	if err != nil {
		return err
	}
	return s.SendFrame(uint32(len(bytes)), bytes)
}

// SendFrame sends a gRPC message of which the prefix says that it has length
// bytes, whether that is so or not.
func (s *Stream) SendFrame(length uint32, bytes []byte) error {
	frame := make([]byte, prefixSize, prefixSize+len(bytes))
	binary.BigEndian.PutUint32(frame[1:], length)
	return s.SendBytes(append(frame, bytes...))
}

// SendBytes sends bytes, whatever they are a part of.
func (s *Stream) SendBytes(bytes []byte) error {
	_, err := s.toPeer.Write(bytes)
	return err
}

// Register sends what the process registers with, under its own package ID.
func (s *Stream) Register() error {
	c, err := loadConfig()
	if err != nil {
		return err
	}
	register, err := registration(c)
	if err != nil {
		return err
	}
	return s.Send(register)
}

func registration(c config) (*peer.ChaincodeMessage, error) {
	id, err := proto.Marshal(&peer.ChaincodeID{Name: c.packageID})
	return &peer.ChaincodeMessage{Type: peer.ChaincodeMessage_REGISTER, Payload: id}, err
}

// End ends the request's body: to the peer, the chaincode has sent its last.
func (s *Stream) End() error {
	return s.toPeer.Close()
}

// Cut resets the stream: HTTP/2 has no other end for a body that fails.
func (s *Stream) Cut() error {
	return s.toPeer.CloseWithError(errors.New("cut"))
}

// receive waits for the peer's next message.
func (s *Stream) receive() (*peer.ChaincodeMessage, error) {
	var prefix [prefixSize]byte
	if _, err := io.ReadFull(s.fromPeer, prefix[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(prefix[1:])
	if prefix[0] != 0 || length > maxMessage {
		return nil, fmt.Errorf("the peer sent a message compressed or over %d bytes", maxMessage)
	}
	bytes := make([]byte, length)
	if _, err := io.ReadFull(s.fromPeer, bytes); err != nil {
		return nil, err
	}
	message := &peer.ChaincodeMessage{}
	return message, proto.Unmarshal(bytes, message)
}
