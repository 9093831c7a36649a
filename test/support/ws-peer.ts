// graphql-transport-ws by hand, to say what no client library would.
import { once } from 'node:events';
import { type ClientOptions, WebSocket } from 'ws';
import { until } from './http-world.ts';

const PROTOCOL = 'graphql-transport-ws';

export interface Message {
  type: string;
  id?: string;
  payload?: unknown;
}

export class Peer {
  readonly socket: WebSocket;
  readonly messages: Message[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;

  constructor(wsUrl: string, options: ClientOptions = {}, protocol: string | string[] = PROTOCOL) {
    this.socket = new WebSocket(wsUrl, protocol, options);
    this.socket.on('message', (data) => this.messages.push(JSON.parse(String(data))));
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
  }

  async open(): Promise<this> {
    await once(this.socket, 'open');
    return this;
  }

  send(message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async init(payload?: object): Promise<this> {
    this.send({ type: 'connection_init', payload });
    await until(() => this.messages.some(({ type }) => type === 'connection_ack'));
    return this;
  }

  subscribe(id: string, query = 'subscription { events }', variables: object = {}): void {
    this.send({ type: 'subscribe', id, payload: { query, variables } });
  }

  of(id: string): Message[] {
    return this.messages.filter((message) => message.id === id);
  }
}
