/** The entry of the second script of the page: the missions. */

import { missions } from '../shared/missions.ts';
import { handOver } from './mission-list.ts';

handOver(missions);
