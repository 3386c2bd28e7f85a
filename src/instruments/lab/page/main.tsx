/** The page of the lab. */
import { signal } from '@preact/signals';
import { render } from 'preact';

const title = signal('Mondo lab');

function Lab() {
  return <main>{title}</main>;
}

const place = document.getElementById('lab');
if (place !== null) render(<Lab />, place);
