// @ts-check
// Reads an invite from its QR code, with the camera. The picture stays in this page.

import { el } from "./dom.js";
import decodeQR from "./qr/decode.js";

/** Longest side of a picture that is searched for a code, in pixels, and the pause between two, in milliseconds. */
const SIDE = 640;
const PAUSE = 150;

/** How an invite begins, as a text or as a link of the page. */
const INVITE = /^frostmesh:|^https?:\/\/[^#]+#server=/;

/**
 * Asks for the camera and shows its picture, until an invite is found or the returned function is called.
 * @param {HTMLElement} parent
 * @param {(invite: string) => void} found
 */
export async function scan(parent, found) {
  // The camera that faces away from the person, where there are several.
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  const video = el("video", { muted: "", playsinline: "", "data-testid": "invite-camera" });
  const canvas = el("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let timer = 0;

  const stop = () => {
    clearTimeout(timer);
    stream.getTracks().forEach((track) => track.stop());
    video.remove();
  };

  const next = () => (timer = setTimeout(look, PAUSE));
  const look = () => {
    const shrink = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight, 1));
    const [width, height] = [video.videoWidth * shrink | 0, video.videoHeight * shrink | 0];
    if (context && width && height) {
      Object.assign(canvas, { width, height });
      context.drawImage(video, 0, 0, width, height);
      const text = read(context.getImageData(0, 0, width, height));
      if (INVITE.test(text)) {
        stop();
        return found(text);
      }
    }
    next();
  };

  video.srcObject = stream;
  parent.replaceChildren(video);
  await video.play();
  next();
  return stop;
}

/** @param {ImageData} picture */
function read(picture) {
  try {
    return decodeQR(picture);
  } catch {
    return ""; // most pictures hold no code
  }
}
