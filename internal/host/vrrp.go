package host

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"pigsty/internal/resource"
)

// Protocols of the Internet Protocol that announcements of virtual routers have:
// VRRP's own, or that of an authentication header (RFC 4302) before it.
const (
	protocolAH   = 51
	protocolVRRP = 112
)

// routerGroup is the hardware address of 224.0.0.18, which virtual routers
// announce themselves to (RFC 5798).
var routerGroup = [8]byte{0x01, 0x00, 0x5e, 0x00, 0x00, 0x12}

// network is the networks that this host is in.
type network struct{}

var _ resource.Network = network{}

// Routers implements resource.Network. It takes packets as they come from the
// interface, since a firewall may keep them from all other sockets.
func (network) Routers(ctx context.Context, name string, patience time.Duration) ([]resource.VirtualRouter, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	f, err := openRouters(iface.Index)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Now()) })()
	var heard []resource.VirtualRouter
	for packet := make([]byte, 2<<10); ; {
		n, err := f.Read(packet)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return heard, ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if r, ok := parseAdvertisement(packet[:n]); ok && !slices.Contains(heard, r) {
			heard = append(heard, r)
		}
	}
}

// openRouters opens a socket that gets the announcements that arrive at an
// interface, and hardly anything else.
func openRouters(index int) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "virtual routers")
	only := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 9}, // the header's protocol
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: protocolVRRP},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: protocolAH},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1 << 16}, // all of the packet
		{Code: unix.BPF_RET | unix.BPF_K},
	}
	program := unix.SockFprog{Len: uint16(len(only)), Filter: &only[0]}
	group := unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_MULTICAST, Alen: 6, Address: routerGroup}
	const ip = unix.ETH_P_IP>>8 | unix.ETH_P_IP&0xff<<8 // in the network's order of bytes
	err = errors.Join(
		os.NewSyscallError("SO_ATTACH_FILTER", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)),
		os.NewSyscallError("PACKET_ADD_MEMBERSHIP", unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &group)),
		os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: ip, Ifindex: index})),
	)
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// parseAdvertisement reads an IPv4 packet that announces a virtual router, of
// version 2 (RFC 3768) or 3 (RFC 5798) of the protocol. Who resigns (priority 0)
// announces none.
func parseAdvertisement(packet []byte) (resource.VirtualRouter, bool) {
	if len(packet) < 20 || packet[0]>>4 != 4 {
		return resource.VirtualRouter{}, false
	}
	protocol, body := packet[9], packet[min(int(packet[0]&0xf)*4, len(packet)):]
	if protocol == protocolAH && len(body) >= 2 {
		protocol, body = body[0], body[min((int(body[1])+2)*4, len(body)):]
	}
	const advertisement = 1
	if protocol != protocolVRRP || len(body) < 3 || body[0] != 2<<4|advertisement && body[0] != 3<<4|advertisement || body[2] == 0 {
		return resource.VirtualRouter{}, false
	}
	return resource.VirtualRouter{Source: netip.AddrFrom4([4]byte(packet[12:16])), ID: int(body[1])}, true
}
