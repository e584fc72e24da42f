// A page in a headless browser, controlled by the DevTools protocol over a pipe.

'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');

/** Flags of the browser: no window, no GPU, and frames although nobody looks at them. */
const FLAGS = [
	'--headless=new', '--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader',
	'--enable-unsafe-swiftshader', '--disable-background-timer-throttling',
	'--disable-renderer-backgrounding', '--disable-dev-shm-usage', '--no-first-run',
	'--remote-debugging-pipe',
];

/** A page in a browser of its own. */
class Page {
	constructor(browser, profile, { width, height }) {
		this.size = { width, height };
		const flags = [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'];
		const log = fs.openSync(`${profile}.log`, 'w');
		this.process = spawn(browser, flags, { stdio: ['ignore', log, log, 'pipe', 'pipe'] });
		const [, , , input, output] = this.process.stdio;
		this.input = input;
		for (const part of [this.process, input, output]) {
			part.on('error', (error) => this.fail(error));
		}
		this.process.on('exit', (code) => this.fail(new Error(`the browser ended with ${code}`)));
		this.replies = new Map();
		this.last = 0;
		this.errors = [];
		/** What the page has printed. */
		this.lines = [];
		this.session = undefined;
		this.failure = undefined;
		let pending = '';
		output.setEncoding('utf8').on('data', (text) => {
			const messages = (pending + text).split('\0');
			pending = messages.pop();
			messages.forEach((message) => this.receive(JSON.parse(message)));
		});
	}

	/** Lets all requests fail, also later ones: nobody replies any more. */
	fail(error) {
		this.failure ??= error;
		for (const { reject } of this.replies.values()) reject(error);
		this.replies.clear();
	}

	receive({ id, method, params, result, error }) {
		const reply = this.replies.get(id);
		this.replies.delete(id);
		if (error) reply?.reject(new Error(error.message));
		else reply?.resolve(result);
		if (method === 'Runtime.exceptionThrown') {
			const { exception, text } = params.exceptionDetails;
			this.errors.push(exception?.description ?? text);
		}
		if (method === 'Runtime.consoleAPICalled') {
			this.lines.push(params.args.map(({ value }) => value).join(' '));
		}
		if (method === 'Log.entryAdded' && params.entry.level === 'error') {
			this.errors.push(params.entry.text);
		}
	}

	send(method, params = {}) {
		this.last += 1;
		const id = this.last;
		const sessionId = method.startsWith('Browser.') ? undefined : this.session;
		const message = { id, method, params, sessionId };
		return new Promise((resolve, reject) => {
			if (this.failure !== undefined) return reject(this.failure);
			this.replies.set(id, { resolve, reject });
			return this.input.write(`${JSON.stringify(message)}\0`);
		});
	}

	async open(url) {
		const { targetInfos } = await this.send('Target.getTargets');
		const { targetId } = targetInfos.find(({ type }) => type === 'page');
		const attached = await this.send('Target.attachToTarget', { targetId, flatten: true });
		this.session = attached.sessionId;
		for (const domain of ['Runtime', 'Log', 'Page']) await this.send(`${domain}.enable`);
		const metrics = { ...this.size, deviceScaleFactor: 1, mobile: false };
		await this.send('Emulation.setDeviceMetricsOverride', metrics);
		await this.send('Page.navigate', { url });
	}

	async evaluate(expression) {
		const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
			expression, returnByValue: true,
		});
		if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.text}`);
		return result.value;
	}

	/** Ends the browser, so that no process of it uses the profile any more. */
	async close() {
		const closed = new Promise((resolve) => { this.process.on('exit', resolve); });
		if (this.process.exitCode !== null) return;
		this.send('Browser.close').catch(() => {});
		await Promise.race([closed, sleep(5000)]);
		this.process.kill('SIGKILL');
	}

	async key(type, code) {
		await this.send('Input.dispatchKeyEvent', { type, code, key: code });
	}

	async screenshot(scheme, file) {
		const features = [{ name: 'prefers-color-scheme', value: scheme }];
		await this.send('Emulation.setEmulatedMedia', { features });
		await sleep(100);
		const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
		fs.writeFileSync(file, Buffer.from(data, 'base64'));
	}
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

module.exports = { Page, sleep };
