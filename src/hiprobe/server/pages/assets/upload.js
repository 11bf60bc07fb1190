// Files go to the API as they are, one request each: the body is the file. The answer to a refusal says why.
export default {
  template: `
    <div class="upload" :class="{over}" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="drop">
      <button type="button" class="button" :class="{primary: first}" :disabled="sending !== null" @click="$refs.input.click()">Upload videos</button>
      <input ref="input" type="file" multiple accept="video/*,.mkv,.avi,.ts,.flv" hidden aria-label="Videos to upload" @change="choose" />
      <span v-if="sending !== null" role="status" class="soft">
        <progress max="1" :value="share" aria-label="Upload"></progress>
        {{ sending }}, {{ Math.round(100 * share) }}%
      </span>
    </div>`,
  props: { address: String, first: Boolean }, // first: it is the thing to do first
  data: () => ({ sending: null, share: 0, over: false }),
  methods: {
    choose(event) {
      this.send([...event.target.files]);
      event.target.value = "";
    },
    drop(event) {
      this.over = false;
      if (this.sending === null) this.send([...event.dataTransfer.files]);
    },
    async send(files) {
      for (const file of files) {
        this.sending = file.name;
        this.share = 0;
        const refusal = await this.post(file);
        if (refusal) this.$emit("refused", refusal);
        else this.$emit("done");
      }
      this.sending = null;
    },
    post(file) {
      return new Promise((resolve) => {
        const request = new XMLHttpRequest();
        request.open("POST", `${this.address}?name=${encodeURIComponent(file.name)}`);
        request.upload.onprogress = (event) => (this.share = event.loaded / event.total);
        request.onerror = () => resolve(`${file.name}: the connection broke; try again.`);
        request.onload = () => {
          if (request.status < 300) return resolve(null);
          let detail;
          try {
            detail = JSON.parse(request.responseText).detail;
          } catch {
            detail = null;
          }
          resolve(typeof detail === "string" ? detail : `${file.name}: was refused (${request.status}).`);
        };
        request.send(file);
      });
    },
  },
};
