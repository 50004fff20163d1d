package rpm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// tag numbers an entry of a header; the numbers are those of rpm's rpmtag.h.
type tag int32

const (
	tagName            tag = 1000
	tagVersion         tag = 1001
	tagRelease         tag = 1002
	tagEpoch           tag = 1003
	tagSummary         tag = 1004
	tagDescription     tag = 1005
	tagBuildTime       tag = 1006
	tagBuildHost       tag = 1007
	tagSize            tag = 1009
	tagVendor          tag = 1011
	tagLicense         tag = 1014
	tagPackager        tag = 1015
	tagGroup           tag = 1016
	tagURL             tag = 1020
	tagArch            tag = 1022
	tagOldFileNames    tag = 1027
	tagFileModes       tag = 1030
	tagFileFlags       tag = 1037
	tagSourceRPM       tag = 1044
	tagArchiveSize     tag = 1046
	tagChangelogTime   tag = 1080
	tagChangelogName   tag = 1081
	tagChangelogText   tag = 1082
	tagDirIndexes      tag = 1116
	tagBaseNames       tag = 1117
	tagDirNames        tag = 1118
	tagLongSize        tag = 5009
	tagPayloadDigest   tag = 5092
	tagPayloadDigestBy tag = 5093

	// Of the signature header, whose numbers are its own.
	sigDSA      tag = 267 // over the header
	sigRSA      tag = 268 // over the header
	sigLongSize tag = 271 // of the unpacked payload
	sigPGP      tag = 1002
	sigGPG      tag = 1005
	sigSize     tag = 1007 // of the unpacked payload
)

// relationTags are the names, flags and versions of a kind of relation.
type relationTags struct{ name, flags, version tag }

var (
	tagsProvides    = relationTags{1047, 1112, 1113}
	tagsRequires    = relationTags{1049, 1048, 1050}
	tagsConflicts   = relationTags{1054, 1053, 1055}
	tagsObsoletes   = relationTags{1090, 1114, 1115}
	tagsRecommends  = relationTags{5046, 5048, 5047}
	tagsSuggests    = relationTags{5049, 5051, 5050}
	tagsSupplements = relationTags{5052, 5054, 5053}
	tagsEnhances    = relationTags{5055, 5057, 5056}
)

// header is one of the two headers of a package file.
type header struct {
	entries map[tag]entry
	store   []byte
	raw     []byte // as it is in the file, which is what signatures are over
}

type entry struct{ kind, offset, count int32 }

const (
	kindInt16   = 3
	kindInt32   = 4
	kindInt64   = 5
	kindString  = 6
	kindBinary  = 7
	kindStrings = 8
	kindI18N    = 9
)

const (
	leadSize  = 96
	maxHeader = 256 << 20 // bytes; as much as rpm accepts
)

var (
	leadMagic   = []byte{0xed, 0xab, 0xee, 0xdb}
	headerMagic = []byte{0x8e, 0xad, 0xe8, 0x01}
)

// readHeaders reads the beginning of a package file: the header of its
// signatures and its own, which lies at offset at.
func readHeaders(in io.Reader) (signatures, own *header, at int64, err error) {
	lead := make([]byte, leadSize)
	if _, err := io.ReadFull(in, lead); err != nil || !bytes.HasPrefix(lead, leadMagic) {
		return nil, nil, 0, errors.New("it is not a package")
	}
	if signatures, err = readHeader(in); err != nil {
		return nil, nil, 0, err
	}
	padding := (8 - len(signatures.raw)%8) % 8
	if _, err := io.CopyN(io.Discard, in, int64(padding)); err != nil {
		return nil, nil, 0, errors.New("its header is cut")
	}
	own, err = readHeader(in)
	return signatures, own, int64(leadSize + len(signatures.raw) + padding), err
}

func readHeader(in io.Reader) (*header, error) {
	intro := make([]byte, 16)
	if _, err := io.ReadFull(in, intro); err != nil || !bytes.HasPrefix(intro, headerMagic) {
		return nil, errors.New("it has no header where one should be")
	}
	count, size := int64(binary.BigEndian.Uint32(intro[8:])), int64(binary.BigEndian.Uint32(intro[12:]))
	if 16*count+size > maxHeader {
		return nil, fmt.Errorf("its header has %d entries and %d bytes, which is too much", count, size)
	}
	raw := bytes.NewBuffer(intro)
	if n, err := io.CopyN(raw, in, 16*count+size); err != nil {
		return nil, fmt.Errorf("its header is cut after %d bytes", n)
	}
	h := &header{entries: map[tag]entry{}, raw: raw.Bytes()}
	h.store = h.raw[16+16*count:]
	for i := range count {
		e := h.raw[16+16*i:]
		field := func(n int) int32 { return int32(binary.BigEndian.Uint32(e[4*n:])) }
		h.entries[tag(field(0))] = entry{kind: field(1), offset: field(2), count: field(3)}
	}
	return h, nil
}

// bytes returns the store from where the entry of t begins, nil if there is none.
func (h *header) bytes(t tag, kinds ...int32) ([]byte, int) {
	e, ok := h.entries[t]
	if !ok || e.offset < 0 || int(e.offset) > len(h.store) || e.count < 0 {
		return nil, 0
	}
	for _, k := range kinds {
		if e.kind == k {
			return h.store[e.offset:], int(e.count)
		}
	}
	return nil, 0
}

// strings returns the strings of t; of translated text, all languages.
func (h *header) strings(t tag) []string {
	data, count := h.bytes(t, kindString, kindStrings, kindI18N)
	var out []string
	for range min(count, len(data)) {
		text, rest, ok := bytes.Cut(data, []byte{0})
		if !ok {
			break
		}
		out = append(out, string(text))
		data = rest
	}
	return out
}

// text returns the string of t, of translated text the one in no language.
func (h *header) text(t tag) string {
	if all := h.strings(t); len(all) > 0 {
		return all[0]
	}
	return ""
}

// binary returns the bytes of t.
func (h *header) binary(t tag) []byte {
	data, count := h.bytes(t, kindBinary)
	return data[:min(count, len(data))]
}

// ints returns the numbers of t.
func (h *header) ints(t tag) []int64 {
	e := h.entries[t]
	data, count := h.bytes(t, kindInt16, kindInt32, kindInt64)
	width := map[int32]int{kindInt16: 2, kindInt32: 4, kindInt64: 8}[e.kind]
	if width == 0 || count > len(data)/width {
		return nil
	}
	out := make([]int64, count)
	for i := range out {
		switch at := data[i*width:]; width {
		case 2:
			out[i] = int64(binary.BigEndian.Uint16(at))
		case 4:
			out[i] = int64(binary.BigEndian.Uint32(at))
		default:
			out[i] = int64(binary.BigEndian.Uint64(at))
		}
	}
	return out
}

// number returns the first number that one of tags has, 0 if none has any.
func (h *header) number(tags ...tag) int64 {
	for _, t := range tags {
		if n := h.ints(t); len(n) > 0 {
			return n[0]
		}
	}
	return 0
}
