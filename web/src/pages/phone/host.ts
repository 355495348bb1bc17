// The agent app around this page: asking it to close the page, and whether it
// lets a page of ours use camera and microphone.

/** askToClose sends the word the agent app waits for. False: nobody is there to hear it. */
export function askToClose({ message, origins }: { readonly message: string; readonly origins: readonly string[] }): boolean {
  const host: Window | null = parent !== window ? parent : (opener as Window | null);
  if (!host) return false;
  // The word is the same for every call and tells nothing, so it may go to anybody where no origin is configured.
  for (const origin of origins.length > 0 ? origins : ['*']) host.postMessage(message, origin);
  if (parent === window) window.close();
  return true;
}

interface Policy {
  allowsFeature(name: string): boolean;
}

/** delegated tells whether this page may use camera and microphone; undefined where the browser does not say before it is tried. */
export function delegated(origins: readonly string[]): boolean | undefined {
  if (!navigator.mediaDevices) return false;
  if (parent !== window && origins.length === 0) return false; // a room is shown to origins that are listed only
  const page = document as unknown as { permissionsPolicy?: Policy; featurePolicy?: Policy };
  const policy = page.permissionsPolicy ?? page.featurePolicy;
  if (policy) return policy.allowsFeature('camera') && policy.allowsFeature('microphone');
  return parent === window ? true : undefined;
}

/** tryDevices asks for camera and microphone and lets go of them. */
export async function tryDevices(): Promise<boolean> {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    for (const track of stream.getTracks()) track.stop();
    return true;
  } catch (error) {
    return !(error instanceof DOMException && error.name === 'NotAllowedError'); // the room says what else is wrong
  }
}
