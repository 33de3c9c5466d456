package ddns

// A ddnsHost is a service that people point CNAMEs at, so that the CNAME
// follows their home.
type ddnsHost struct {
	suffix string
	name   string
	seen   string // where the suffix is documented
}

// ddnsHosts are the known ones, each with where it was found. A CNAME that
// leaves for any other host is not replaced.
var ddnsHosts = []ddnsHost{
	{"duckdns.org", "Duck DNS", "https://www.duckdns.org/spec.jsp"},
	{"ddns.net", "No-IP", "https://www.noip.com/support/knowledgebase/free-dynamic-dns"},
	{"hopto.org", "No-IP", "https://www.noip.com/support/knowledgebase/free-dynamic-dns"},
	{"zapto.org", "No-IP", "https://www.noip.com/support/knowledgebase/free-dynamic-dns"},
	{"sytes.net", "No-IP", "https://www.noip.com/support/knowledgebase/free-dynamic-dns"},
	{"servehttp.com", "No-IP", "https://www.noip.com/support/knowledgebase/free-dynamic-dns"},
	{"myddns.me", "No-IP", "https://www.noip.com/support/knowledgebase/free-dynamic-dns"},
	{"dyndns.org", "Dyn", "https://help.dyn.com/list-of-domains"},
	{"dynu.net", "Dynu", "https://www.dynu.com/DynamicDNS"},
	{"freeddns.org", "Dynu", "https://www.dynu.com/DynamicDNS"},
	{"mooo.com", "FreeDNS (afraid.org)", "https://freedns.afraid.org/domain/registry/"},
	{"chickenkiller.com", "FreeDNS (afraid.org)", "https://freedns.afraid.org/domain/registry/"},
	{"us.to", "FreeDNS (afraid.org)", "https://freedns.afraid.org/domain/registry/"},
	{"dedyn.io", "deSEC", "https://desec.readthedocs.io/en/latest/dyndns/configure.html"},
	{"dynv6.net", "dynv6", "https://dynv6.com/docs/apis"},
	{"nsupdate.info", "nsupdate.info", "https://nsupdate.info/"},
	{"spdns.de", "Securepoint", "https://www.spdyn.de/"},
	{"ddnss.de", "DDNSS", "https://ddnss.de/"},
	{"selfhost.eu", "selfHOST", "https://www.selfhost.de/"},
	{"myfritz.net", "MyFRITZ!", "https://www.myfritz.net/"},
	{"synology.me", "Synology", "https://kb.synology.com/en-global/DSM/help/DSM/AdminCenter/connection_ddns"},
	{"myqnapcloud.com", "QNAP", "https://www.myqnapcloud.com/"},
	{"asuscomm.com", "ASUS", "https://www.asus.com/support/faq/1011725/"},
	{"tplinkdns.com", "TP-Link", "https://www.tp-link.com/us/support/faq/1367/"},
	{"sn.mynetname.net", "MikroTik", "https://help.mikrotik.com/docs/display/ROS/Cloud"},
	{"keenetic.link", "Keenetic", "https://help.keenetic.com/"},
}

// notHops are hosts whose CNAMEs are no dynamic DNS; what stands behind each
// would break if the CNAME became an address.
var notHops = []ddnsHost{
	{"cfargotunnel.com", "a Cloudflare Tunnel", "https://developers.cloudflare.com/cloudflare-one/connections/connect-networks/"},
	{"pages.dev", "Cloudflare Pages", "https://developers.cloudflare.com/pages/configuration/custom-domains/"},
	{"workers.dev", "a Cloudflare Worker", "https://developers.cloudflare.com/workers/configuration/routing/workers-dev/"},
}

// elsewhereHosts are hosts of services that serve machines of their own. They
// are named so that a person knows why the CNAME stays; whatever is in no list
// stays as well.
var elsewhereHosts = []ddnsHost{
	{"shops.myshopify.com", "Shopify", "https://help.shopify.com/en/manual/domains/add-a-domain/connecting-domains/connect-domain-manual"},
	{"github.io", "GitHub Pages", "https://docs.github.com/en/pages/configuring-a-custom-domain-for-your-github-pages-site"},
	{"gitlab.io", "GitLab Pages", "https://docs.gitlab.com/user/project/pages/custom_domains_ssl_tls_certification/"},
	{"netlify.app", "Netlify", "https://docs.netlify.com/manage/domains/configure-domains/configure-external-dns/"},
	{"vercel-dns.com", "Vercel", "https://vercel.com/docs/domains/working-with-domains/add-a-domain"},
	{"vercel.app", "Vercel", "https://vercel.com/docs/domains/working-with-domains/add-a-domain"},
	{"herokudns.com", "Heroku", "https://devcenter.heroku.com/articles/custom-domains"},
	{"herokuapp.com", "Heroku", "https://devcenter.heroku.com/articles/custom-domains"},
	{"azurewebsites.net", "Azure", "https://learn.microsoft.com/en-us/azure/app-service/app-service-web-tutorial-custom-domain"},
	{"azureedge.net", "Azure", "https://learn.microsoft.com/en-us/azure/cdn/cdn-map-content-to-custom-domain"},
	{"cloudapp.azure.com", "Azure", "https://learn.microsoft.com/en-us/azure/virtual-machines/custom-domain"},
	{"cloudfront.net", "Amazon CloudFront", "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/CNAMEs.html"},
	{"amazonaws.com", "Amazon Web Services", "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html"},
	{"ghs.googlehosted.com", "Google", "https://support.google.com/a/answer/112038"},
	{"googlehosted.com", "Google", "https://support.google.com/a/answer/112038"},
	{"fly.dev", "Fly.io", "https://fly.io/docs/networking/custom-domain/"},
	{"onrender.com", "Render", "https://render.com/docs/custom-domains"},
	{"up.railway.app", "Railway", "https://docs.railway.com/guides/public-networking"},
	{"wpengine.com", "WP Engine", "https://wpengine.com/support/wordpress-best-practice-configuring-dns-for-wp-engine/"},
	{"ext-sq.squarespace.com", "Squarespace", "https://support.squarespace.com/hc/en-us/articles/205812378"},
	{"fastly.net", "Fastly", "https://www.fastly.com/documentation/guides/getting-started/domains/working-with-domains/working-with-cname-records-and-your-dns-provider/"},
	{"ts.net", "Tailscale", "https://tailscale.com/kb/1217/tailnet-name"},
}
