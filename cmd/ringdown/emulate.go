package main

import (
	"fmt"

	"ringdown/config"
	"ringdown/emulate/xcally"
	"ringdown/emulate/xucmgt"
)

type emulateCmd struct {
	XCALLY emulateXCALLY `cmd:"" name:"xcally" help:"An XCALLY Motion server with OpenChannel and an inbox."`
	XucMgt emulateXucMgt `cmd:"" name:"xucmgt" help:"XiVO's agent app, that asks on each ringing call, and its XUC."`
}

type emulateXCALLY struct {
	Listen   string `default:"127.0.0.1:8081" help:"Address of the inbox and of the Receive URL."`
	ReplyURL string `name:"reply-url" placeholder:"URL" help:"Where agents' replies go: our Reply URL. Without it agents cannot answer."`
	MapKey   string `name:"map-key" default:"phone" help:"Contact field that identifies a sender."`
	JSON     bool   `name:"json" help:"Print the addresses as JSON."`
}

// Help gives the example.
func (emulateXCALLY) Help() string {
	return "Example:\n  ringdown emulate xcally --reply-url http://localhost:8080/xcally/main/reply/SECRET"
}

// Run emulates until a signal.
func (e *emulateXCALLY) Run(c *console) error {
	s, err := xcally.New(xcally.Config{
		Listen: e.Listen, Accounts: []xcally.Account{{ID: 1, Name: "Account 1", MapKey: e.MapKey, ReplyURL: e.ReplyURL}},
	}, logger(c, config.Log{Level: "info", Format: "text"}))
	if err != nil {
		return err
	}
	if err := s.Listen(c.ctx); err != nil {
		return err
	}
	if e.JSON {
		err = c.print(map[string]string{"inbox": s.URL() + "/", "receive_url": s.ReceiveURL(1)})
	} else {
		_, err = fmt.Fprintf(c.out, "Inbox        %s/\nReceive URL  %s\n", s.URL(), s.ReceiveURL(1))
	}
	if err != nil {
		return err
	}
	return s.Run(c.ctx)
}

type emulateXucMgt struct {
	Listen string `default:"127.0.0.1:8082" help:"Address of the agent app and of its XUC."`
	URL    string `name:"url" placeholder:"URL" help:"THIRD_PARTY_URL of the installation. Without it the page asks for it."`
	JSON   bool   `name:"json" help:"Print the address as JSON."`
}

// Help gives the example.
func (emulateXucMgt) Help() string {
	return "Example:\n  ringdown emulate xucmgt --url http://localhost:8080/thirdparty/xucmgt/SECRET"
}

// Run emulates until a signal.
func (e *emulateXucMgt) Run(c *console) error {
	s, err := xucmgt.New(xucmgt.Config{Listen: e.Listen, URL: e.URL}, logger(c, config.Log{Level: "info", Format: "text"}))
	if err != nil {
		return err
	}
	if err := s.Listen(c.ctx); err != nil {
		return err
	}
	if e.JSON {
		err = c.print(map[string]string{"desk": s.URL() + "/", "xuc": s.URL()})
	} else {
		_, err = fmt.Fprintf(c.out, "Agent app  %s/\nXUC        %s\n", s.URL(), s.URL())
	}
	if err != nil {
		return err
	}
	return s.Run(c.ctx)
}
