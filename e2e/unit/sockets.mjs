// A socket that a test holds the other end of.

/** @returns {{open: Function, all: any[], last: () => any}} */
export function sockets() {
  const all = [];
  const open = (url, protocol) => {
    const socket = {
      url,
      protocol,
      readyState: 0,
      sent: [],
      send: (data) => socket.sent.push(JSON.parse(data)),
      close: () => {
        socket.readyState = 3;
        socket.closed = true;
      },
      // the server's side
      accept: () => {
        socket.readyState = 1;
        socket.onopen({});
      },
      say: (message) => socket.onmessage({ data: typeof message === 'string' ? message : JSON.stringify(message) }),
      drop: (code = 1006) => {
        socket.readyState = 3;
        socket.onclose({ code, reason: '' });
      },
    };
    all.push(socket);
    return socket;
  };
  return { open, all, last: () => all.at(-1) };
}

/** settle lets every promise that can go on, go on. */
export const settle = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};
