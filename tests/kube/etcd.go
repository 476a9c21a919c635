package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"go.etcd.io/etcd/server/v3/embed"
)

// runEtcd is a single etcd member on socket files in the working folder, whose names end like a port
// because etcd takes no other. Unless told it does not sync to disk: a
// killed process loses nothing, a lost machine does, and no test outlives that.
func runEtcd(args []string) int {
	flags := flag.NewFlagSet("etcd", flag.ContinueOnError)
	data := flags.String("data-dir", "etcd", "folder of the data")
	socket := flags.String("socket", "etcd.sock:0", "socket file for clients, in the working folder")
	peerSocket := flags.String("peer-socket", "etcd-peer.sock:0", "socket file for members")
	sync := flags.Bool("sync", false, "sync to disk, as etcd by itself does")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return exitUsage
	}
	if err := serveEtcd(*data, *socket, *peerSocket, *sync); err != nil {
		fmt.Fprintf(os.Stderr, "etcd: %v\n", err)
		return exitFailed
	}
	return exitDone
}

func serveEtcd(data, socket, peerSocket string, sync bool) error {
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGTERM, syscall.SIGINT)

	client := []url.URL{{Scheme: "unix", Host: socket}}
	peer := []url.URL{{Scheme: "unix", Host: peerSocket}}
	config := embed.NewConfig()
	config.Dir = data
	config.ListenClientUrls, config.AdvertiseClientUrls = client, client
	config.ListenPeerUrls, config.AdvertisePeerUrls = peer, peer
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.UnsafeNoFsync = !sync
	config.LogLevel = "error"
	config.LogOutputs = []string{"stderr"}

	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()
	select {
	case <-ending:
		return nil
	case <-server.Server.StopNotify():
		return fmt.Errorf("the server stopped by itself")
	case err := <-server.Err():
		return err
	}
}
