// A volume in three planes and in 3D, with its label map or a prediction over it, by NiiVue as ipyniivue brings it.
//
// ipyniivue's module is a Jupyter widget (anywidget): it takes what it shows from models that a notebook's kernel fills.
// Here there is no kernel, so `Model` below is one that holds plain values.

const dialog = document.getElementById("viewer");
const field = name => dialog.querySelector(`[name=${name}]`);
const told = dialog.querySelector("output"), legend = document.getElementById("legend");
const PALETTE = [
  [230, 97, 92], [92, 164, 230], [126, 201, 116], [235, 188, 78], [178, 128, 222], [94, 205, 196],
  [238, 140, 190], [178, 170, 90], [150, 160, 235], [240, 150, 90], [120, 220, 160], [200, 200, 200],
];
const LAYOUTS = { planes: { sliceType: 3, multiplanarShowRender: 1, multiplanarLayout: 2 }, volume: { sliceType: 4 } };
// the patient's right on the left and the nose on the left, as in the previews
const LOOK = {
  backColor: [0, 0, 0, 1], crosshairColor: [0.55, 0.78, 0.84, 1], crosshairWidth: 0.4, show3Dcrosshair: true,
  isColorbar: false, isRadiologicalConvention: true, sagittalNoseLeft: true,
};
const FACTS = {
  path: {}, paired_img_path: {}, url: "", data: null, opacity: 1, colormap: "gray", colormap_negative: "",
  colormap_label: null, colormap_type: 0, colormap_invert: false, colorbar_visible: false, cal_min: null, cal_max: null,
  cal_min_neg: null, cal_max_neg: null, frame_4d: 0, modulation_image: null, modulate_alpha: 0,
};

class Model {
  _comm_live = false; // nothing is sent back: there is no kernel
  constructor(values) { this.values = values; this.listeners = {}; }
  get(name) { return this.values[name]; }
  set(name, value) { this.values[name] = value; }
  save_changes() {}
  send() {}
  send_sync_message() {}
  on(name, heard) { (this.listeners[name] ??= []).push(heard); }
  off(name, heard) { this.listeners[name] = heard ? (this.listeners[name] ?? []).filter(one => one !== heard) : []; }
  tell(name, ...words) { for (const heard of this.listeners[name] ?? []) heard(...words); }
  change(name, value) { this.set(name, value); this.tell("change:" + name); }
}

const layers = new Map(); // id to the model of an image
const scene = new Model({
  opts: { ...LOOK, ...LAYOUTS.planes },
  volumes: [], meshes: [], height: 0, background_masks_overlays: 0, draw_lut: null, draw_opacity: 0.8,
  draw_fill_overwrites: true, graph: null, scene: null, overlay_outline_width: 0, overlay_alpha_shader: 1,
});
scene.widget_manager = { get_model: async id => layers.get(id) };

let started = null, shown = null, opening = 0;

async function start() {
  const { default: niivue } = await import("./niivue.js");
  await niivue.initialize({ model: scene });
  await niivue.render({ model: scene, el: document.getElementById("canvas") });
}

async function fetched(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

async function layer(path, facts) {
  const data = new DataView(await (await fetched(path)).arrayBuffer());
  return new Model({ ...FACTS, id: `${path}#${++opening}`, name: "image.nii", data, ...facts });
}

function colours(scheme) {
  const values = Object.keys(scheme).map(Number), most = Math.max(...values), lut = new Array(4 * (most + 1)).fill(0);
  for (const value of values.filter(value => value > 0))
    lut.splice(4 * value, 4, ...PALETTE[(value - 1) % PALETTE.length], 255);
  return { lut, min: 0, max: most, labels: [] };
}

function explain(scheme) {
  legend.replaceChildren(...Object.entries(scheme).filter(([value]) => value !== "0").map(([value, name]) => {
    const entry = document.createElement("li"), colour = document.createElement("i");
    colour.style.background = `rgb(${PALETTE[(value - 1) % PALETTE.length]})`;
    entry.append(colour, name);
    return entry;
  }));
}

function show(images) {
  layers.clear();
  for (const image of images) layers.set(image.get("id"), image);
  scene.change("volumes", images.map(image => "IPY_MODEL_" + image.get("id")));
}

async function over() {
  const chosen = shown.about.over.find(one => one.name === field("over").value), turn = opening;
  const facts = chosen && { opacity: Number(field("strength").value), colormap_label: colours(chosen.scheme) };
  let above = [], why = null;
  try {
    if (chosen) above = [await layer(chosen.path, facts)];
  } catch (error) {
    why = error; // the volume is shown without it, and without its legend
  }
  if (!shown || turn + above.length !== opening) return; // closed, or another was asked for meanwhile
  explain(above.length ? chosen.scheme : {});
  shown.above = above;
  show([shown.image, ...above]);
  told.value = why
    ? `Not shown: ${why.message}`
    : `Volume ${shown.volume}. Drag to move the crosshair, scroll to change the slice, drag the 3D view to turn it.`;
}

async function open(volume) {
  dialog.showModal();
  told.value = "Loading";
  try {
    await (started ??= start());
    const about = await (await fetched(`about/${volume}.json`)).json();
    document.getElementById("viewed").textContent = about.title;
    field("over").replaceChildren(...about.over.map(one => new Option(one.name)), new Option("nothing"));
    field("step").max = about.steps - 1;
    field("step").value = 0;
    field("step").parentElement.hidden = about.steps < 2;
    const [low, high] = about.window;
    shown = { volume, about, image: await layer(about.path, { cal_min: low, cal_max: high }), above: [] };
    await over();
  } catch (error) {
    told.value = `Not shown: ${error.message}`;
  }
}

field("over").addEventListener("change", over);
field("strength").addEventListener("input", () => {
  for (const above of shown.above) above.change("opacity", Number(field("strength").value));
});
field("step").addEventListener("input", () => shown.image.change("frame_4d", Number(field("step").value)));
field("layout").addEventListener("change", () => {
  scene.change("opts", { ...scene.get("opts"), ...LAYOUTS[field("layout").value] });
  scene.tell("msg:custom", { type: "draw_scene", data: [] }, []);
});
field("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => { show([]); shown = null; legend.replaceChildren(); });
for (const button of document.querySelectorAll("button.open")) {
  button.addEventListener("click", () => open(button.dataset.volume));
  button.disabled = false;
}
