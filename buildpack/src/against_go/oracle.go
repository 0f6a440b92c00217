// oracle says of each case what Go's own readers make of it: how a peer reads a package.
//
// A case is a letter, a length in four bytes, the least first, and as many bytes. What was read of
// it is one line.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
)

// most is how much is read of an entry: one with holes may be of any length.
const most = 1 << 20

func main() {
	input, output := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	for {
		head := make([]byte, 5)
		if _, err := io.ReadFull(input, head); err != nil {
			return
		}
		content := make([]byte, binary.LittleEndian.Uint32(head[1:]))
		if _, err := io.ReadFull(input, content); err != nil {
			return
		}
		fmt.Fprintln(output, read(head[0], content))
		output.Flush()
	}
}

func read(kind byte, content []byte) string {
	switch kind {
	case 't':
		return readTar(content)
	case 'z':
		return readGzip(content)
	default:
		return readJSON(content)
	}
}

func readTar(content []byte) string {
	var told strings.Builder
	archive := tar.NewReader(bytes.NewReader(content))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return told.String() + "end"
		}
		if err != nil {
			return told.String() + "error"
		}
		sum := crc32.NewIEEE()
		length, err := io.CopyN(sum, archive, most)
		if err != nil && !errors.Is(err, io.EOF) {
			return told.String() + "error"
		}
		name, link := hex.EncodeToString([]byte(header.Name)), ""
		switch header.Typeflag {
		case tar.TypeXGlobalHeader:
			fmt.Fprintf(&told, "%s g; ", name)
			continue
		case tar.TypeLink, tar.TypeSymlink:
			link = hex.EncodeToString([]byte(header.Linkname))
		}
		fmt.Fprintf(&told, "%s %d %s %d %t %d %d; ", name, header.Typeflag, link, max(header.Size, 0),
			header.Mode&0o100 != 0, length, sum.Sum32())
	}
}

func readGzip(content []byte) string {
	sum := crc32.NewIEEE()
	reader, err := gzip.NewReader(bytes.NewReader(content))
	if err == nil {
		_, err = io.Copy(sum, reader)
	}
	if err != nil {
		return "error"
	}
	return fmt.Sprint(sum.Sum32())
}

func readJSON(content []byte) string {
	metadata := struct {
		Type  string `json:"type"`
		Path  string `json:"path"`
		Label string `json:"label"`
	}{}
	if err := json.Unmarshal(content, &metadata); err != nil {
		return "error"
	}
	return fmt.Sprintf("%x %x %x", metadata.Type, metadata.Path, metadata.Label)
}
