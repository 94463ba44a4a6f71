// What a web client on another origin does with uploads. It runs in the browser, where the tests call it.

/** How often a script of an upload has run; the tests' scripts say so to the page that embeds them. */
export let scriptRuns = 0;
addEventListener('message', ({ data }) => {
  if (data === 'ran') scriptRuns += 1;
});

/** Uploads by XMLHttpRequest as web clients do, for its progress; status 0 is an answer that the page may not read. */
export async function upload(url, bodyUrl, headers) {
  const body = await (await fetch(bodyUrl)).blob();
  const xhr = new XMLHttpRequest();
  const progress = [];
  xhr.upload.onprogress = ({ loaded }) => progress.push(loaded);
  xhr.open('PUT', url);
  for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
  return new Promise((resolve) => {
    xhr.onloadend = () => resolve({ status: xhr.status, progress });
    xhr.send(body);
  });
}

/** The status and the headers that the page may read; rejects where it may read nothing. */
export async function request(url, options) {
  const response = await fetch(url, options);
  return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
}

/** Embeds a URL; resolves once it has loaded, failed or become a download, and a script in it has had time to run. */
export async function embed(tag, attribute, url) {
  const element = document.createElement(tag);
  element[attribute] = url;
  document.body.append(element);
  await Promise.race([
    new Promise((resolve) => {
      element.onload = resolve;
      element.onerror = resolve;
    }),
    eventOf(window, 'download'),
  ]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { naturalWidth } = element;
  element.remove();
  return { naturalWidth };
}

/** Says that what is being embedded has become a download, which a page does not learn by itself. */
export function noteDownload() {
  dispatchEvent(new Event('download'));
}

/** A video of some seconds that does not compress, so that no browser reads all of it ahead. */
export async function recordVideo(seconds) {
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d');
  const image = context.createImageData(canvas.width, canvas.height);
  const timer = setInterval(() => {
    for (let index = 0; index < image.data.length; index += 1) image.data[index] = Math.random() * 256;
    context.putImageData(image, 0, 0);
  }, 40);
  const recorder = new MediaRecorder(canvas.captureStream(25), {
    mimeType: 'video/webm;codecs=vp8',
    videoBitsPerSecond: 20_000_000,
  });
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  recorder.start();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  recorder.stop();
  await new Promise((resolve) => {
    recorder.onstop = resolve;
  });
  clearInterval(timer);
  const reader = new FileReader();
  reader.readAsDataURL(new Blob(parts));
  await new Promise((resolve) => {
    reader.onload = resolve;
  });
  return reader.result.replace(/^.*,/, '');
}

function eventOf(target, name) {
  return new Promise((resolve, reject) => {
    target.addEventListener(name, resolve, { once: true });
    target.addEventListener('error', () => reject(new Error(target.error.message)), { once: true });
    setTimeout(() => reject(new Error(`no ${name} within 20 s`)), 20_000);
  });
}

/** Plays the beginning of a video and then its end. */
export async function playAndSeek(url) {
  const video = document.createElement('video');
  video.muted = true;
  video.preload = 'metadata';
  video.src = url;
  document.body.append(video);
  await eventOf(video, 'loadedmetadata');
  await video.play();
  await eventOf(video, 'timeupdate');
  video.pause();
  video.currentTime = video.duration - 0.5;
  await eventOf(video, 'seeked');
  await video.play();
  await eventOf(video, 'ended');
  video.remove();
  return { duration: video.duration, width: video.videoWidth };
}
