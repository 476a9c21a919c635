import { render } from 'preact';
import { App } from './app.jsx';
import { followLinks } from './router.js';
import { followSession } from './live.js';
import './ui/theme.js';

document.addEventListener('click', followLinks);
followSession();
render(<App />, document.getElementById('app'));
