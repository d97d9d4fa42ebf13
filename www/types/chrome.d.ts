// The few chrome.* calls that the extension uses, for type checks only.
// https://developer.chrome.com/docs/extensions/reference/api
declare namespace chrome {
  interface Event<Listener> {
    addListener(listener: Listener): void;
  }

  namespace runtime {
    /** `url` is that of the page or worker that sent. */
    interface MessageSender {
      id?: string;
      url?: string;
    }
    interface Port {
      name: string;
      sender?: MessageSender;
      postMessage(message: unknown): void;
      disconnect(): void;
      onMessage: Event<(message: any) => void>;
      onDisconnect: Event<() => void>;
    }
    const id: string;
    const lastError: { message?: string } | undefined;
    const onInstalled: Event<() => void>;
    const onStartup: Event<() => void>;
    const onConnect: Event<(port: Port) => void>;
    const onMessage: Event<
      (message: any, sender: MessageSender, respond: (response: unknown) => void) => boolean | void
    >;
    function connect(info: { name: string }): Port;
    function getContexts(filter: { contextTypes: string[] }): Promise<unknown[]>;
    function getURL(path: string): string;
    function sendMessage(message: unknown): Promise<any>;
  }

  namespace offscreen {
    function createDocument(options: { url: string; reasons: string[]; justification: string }): Promise<void>;
    function closeDocument(): Promise<void>;
  }

  namespace action {
    function setBadgeText(details: { text: string }): Promise<void>;
    function setBadgeBackgroundColor(details: { color: string }): Promise<void>;
    function setTitle(details: { title: string }): Promise<void>;
  }

  namespace alarms {
    const onAlarm: Event<() => void>;
    function create(name: string, info: { periodInMinutes: number }): Promise<void>;
  }

  namespace i18n {
    function getMessage(key: string, substitutions?: string[]): string;
  }

  namespace storage {
    const session: {
      get(key: string): Promise<Record<string, any>>;
      set(items: Record<string, unknown>): Promise<void>;
    };
  }

  namespace tabs {
    function create(options: { url: string }): Promise<unknown>;
  }

  namespace extension {
    function getViews(filter: { type: string }): Window[];
  }

  namespace windows {
    function getCurrent(): Promise<{ id: number }>;
  }

  namespace sidePanel {
    function open(options: { windowId: number }): Promise<void>;
  }
}
